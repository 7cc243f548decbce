#include "CThreads.h"

int temper_instruction_set(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();  // the checks include the operating system's support of the registers
  if (__builtin_cpu_supports("x86-64-v4")) return 3;
  if (__builtin_cpu_supports("x86-64-v3")) return 2;
#endif
  return 0;
}

int temper_has_bfloat16(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return 0;
#endif
}
