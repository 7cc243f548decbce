#include "CThreads.h"

int temper_instruction_set(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();  // the checks include the operating system's support of the registers
  if (__builtin_cpu_supports("x86-64-v4")) return 3;
  if (__builtin_cpu_supports("x86-64-v3")) return 2;
#endif
  return 0;
}
