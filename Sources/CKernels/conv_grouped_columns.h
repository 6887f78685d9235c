// Vectors of channels of narrow groups: which groups, which lanes of src and dst.
#ifndef OCT_CONV_GROUPED_COLUMNS_H
#define OCT_CONV_GROUPED_COLUMNS_H

#include "conv_internal.h"

/// All vectors of a pass from groups of `in` channels to groups of `out`.
typedef struct oct_group_columns {
  ptrdiff_t width, groups, in, out, count;
  ptrdiff_t groups_of_vector;  // whole groups; 1 where a vector holds one or a part of one
  ptrdiff_t vectors_of_group;
  int32_t lanes[OCT_MOST_GROUP_CHANNELS * OCT_LANE];  // [in][width], see oct_grouped_run; for groups_of_vector > 1
} oct_group_columns;

/// One vector: its first group, its first channels, and how many channels.
typedef struct oct_group_column {
  ptrdiff_t group, src, dst, src_lanes, dst_lanes;
} oct_group_column;

oct_group_columns oct_grouped_columns(ptrdiff_t groups, ptrdiff_t in, ptrdiff_t out);
oct_group_column oct_grouped_column(const oct_group_columns *columns, ptrdiff_t v);

#endif  // OCT_CONV_GROUPED_COLUMNS_H
