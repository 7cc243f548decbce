// Linked into the packed binary of tools/bench-gpu, so that what is built with a new glibc runs with 2.34 already: the
// static libraries ask for a function of 2.36 and for new versions of two others.
#include <stdint.h>
#include <unistd.h>

uint32_t arc4random(void) {
  uint32_t bits = 0;
  while (getentropy(&bits, sizeof bits) != 0) {}
  return bits;
}

__asm__(".symver old_hypot, hypot@GLIBC_2.2.5");
__asm__(".symver old_hypotf, hypotf@GLIBC_2.2.5");
double old_hypot(double x, double y);
float old_hypotf(float x, float y);
double hypot(double x, double y) { return old_hypot(x, y); }
float hypotf(float x, float y) { return old_hypotf(x, y); }
