// What follows a sum, in this order: bias (columns), residual (as C), ReLU, and 0 where `mask` (as C, a ReLU's output) is
// not positive. Each may be missing.
typedef struct {
  global const float *bias, *residual, *mask;
  int relu;
} Epilogue;

inline float finish(const Epilogue end, float v, const int column, const size_t at) {
  if (end.bias) v += end.bias[column];
  if (end.residual) v += end.residual[at];
  if (end.relu && v < 0.0f) v = 0.0f;
  return end.mask && !(end.mask[at] > 0.0f) ? 0.0f : v;
}
