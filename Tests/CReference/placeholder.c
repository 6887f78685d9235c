#include "CReference.h"
void oct_reference_placeholder(void) {}
