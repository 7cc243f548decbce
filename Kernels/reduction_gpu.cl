// The sums of reduction.cl and normalization.cl, shaped for GPUs: work groups read neighbouring values together and combine
// their items' sums in local memory, in an order that depends on the extents only.
//   sum_groups_gpu, row_sums_gpu     work groups of ITEMS items
//   *_groups_gpu over (rows, c)      work groups of LANES channels x DEPTH rows at once
#define ITEMS 128
#define LANES 32
#define DEPTH 8

// The sum of one value per item, for every item.
inline float sum_of_items(local float *scratch, const float value) {
  const int item = get_local_id(0);
  scratch[item] = value;
  for (int half_size = ITEMS / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < half_size) scratch[item] += scratch[item + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}

// Partial sums of x (count) by `groups` work groups; global (ITEMS * groups).
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void sum_groups_gpu(
    const int count, const int groups, global const float *restrict x, global float *restrict partial) {
  local float scratch[ITEMS];
  float sum = 0.0f;
  for (int i = get_global_id(0); i < count; i += ITEMS * groups) sum += x[i];
  sum = sum_of_items(scratch, sum);
  if (get_local_id(0) == 0) partial[get_group_id(0)] = sum;
}

// out[i] = sum of row i of x (rows, columns), or of its squares; global (ITEMS * rows).
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void row_sums_gpu(
    const int rows, const int columns, const int squared, global const float *restrict x,
    global float *restrict out) {
  local float scratch[ITEMS];
  global const float *row = x + (size_t)get_group_id(0) * columns;
  float sum = 0.0f;
  for (int j = get_local_id(0); j < columns; j += ITEMS) sum = squared ? fma(row[j], row[j], sum) : sum + row[j];
  sum = sum_of_items(scratch, sum);
  if (get_local_id(0) == 0) out[get_group_id(0)] = sum;
}

// Names of an item's channel and of the rows of its work group, of which it takes every DEPTH-th.
#define CHANNEL_PLACE(c) \
  const int lane = get_local_id(0), depth = get_local_id(1), j = min((int)get_global_id(0), (c) - 1); \
  const int g = get_group_id(1), first = (int)((long)rows * g / groups), last = (int)((long)rows * (g + 1) / groups); \
  const bool writes = depth == 0 && (int)get_global_id(0) < (c);

// The sum over the DEPTH items of a channel, in their order, for each of them.
inline float sum_of_depths(local float (*scratch)[LANES], const float value) {
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[get_local_id(1)][get_local_id(0)] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  float sum = 0.0f;
  for (int d = 0; d < DEPTH; d++) sum += scratch[d][get_local_id(0)];
  return sum;
}

// As column_sum_groups. Global (c rounded up to LANES, DEPTH * groups), as the next two.
__attribute__((reqd_work_group_size(LANES, DEPTH, 1)))
kernel void column_sum_groups_gpu(
    const int rows, const int c, const int groups, global const float *restrict x, global float *restrict partial) {
  local float scratch[DEPTH][LANES];
  CHANNEL_PLACE(c)
  float sum = 0.0f;
  for (int i = first + depth; i < last; i += DEPTH) sum += x[(size_t)i * c + j];
  sum = sum_of_depths(scratch, sum);
  if (writes) partial[(size_t)g * c + j] = sum;
}

// As batch_norm_groups.
__attribute__((reqd_work_group_size(LANES, DEPTH, 1)))
kernel void batch_norm_groups_gpu(
    const int rows, const int c, const int groups, global const float *restrict x, global float *restrict means,
    global float *restrict squares) {
  local float scratch[DEPTH][LANES];
  CHANNEL_PLACE(c)
  float sum = 0.0f, square = 0.0f;
  for (int i = first + depth; i < last; i += DEPTH) sum += x[(size_t)i * c + j];
  const float mean = sum_of_depths(scratch, sum) / (float)max(last - first, 1);
  for (int i = first + depth; i < last; i += DEPTH) {
    const float d = x[(size_t)i * c + j] - mean;
    square = fma(d, d, square);
  }
  square = sum_of_depths(scratch, square);
  if (writes) {
    means[(size_t)g * c + j] = mean;
    squares[(size_t)g * c + j] = square;
  }
}

// As batch_norm_gradient_groups.
__attribute__((reqd_work_group_size(LANES, DEPTH, 1)))
kernel void batch_norm_gradient_groups_gpu(
    const int rows, const int c, const int groups, global const float *restrict x, global const float *restrict dy,
    global const float *restrict mean, global const float *restrict inverse, global float *restrict shifts,
    global float *restrict scales) {
  local float scratch[DEPTH][LANES];
  CHANNEL_PLACE(c)
  float shift = 0.0f, scale = 0.0f;
  for (int i = first + depth; i < last; i += DEPTH) {
    const size_t e = (size_t)i * c + j;
    shift += dy[e];
    scale = fma(dy[e], (x[e] - mean[j]) * inverse[j], scale);
  }
  shift = sum_of_depths(scratch, shift);
  scale = sum_of_depths(scratch, scale);
  if (writes) {
    shifts[(size_t)g * c + j] = shift;
    scales[(size_t)g * c + j] = scale;
  }
}
