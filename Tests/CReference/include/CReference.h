void oct_reference_placeholder(void);
