#include "Kernels.h"
int temper_kernel_source_count(void) { return 0; }
const char *temper_kernel_source_name(int index) { return 0; }
const char *temper_kernel_source_text(int index) { return 0; }
