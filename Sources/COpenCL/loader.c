#define _GNU_SOURCE
#include "COpenCL.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static TemperOpenCL table;
static char failure[512];
static int loaded = 0;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = RTLD_DEFAULT;
  if (!dlsym(RTLD_DEFAULT, "clGetPlatformIDs")) {
    const char *chosen = getenv("TEMPER_LIBOPENCL");
    const char *const names[] = {
      chosen ? chosen : "libOpenCL.so.1", "libOpenCL.so",
      "/System/Library/Frameworks/OpenCL.framework/OpenCL",
    };
    size_t count = chosen ? 1 : sizeof names / sizeof *names;
    library = NULL;
    for (size_t i = 0; i < count && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
      const char *error = dlerror();
      snprintf(failure, sizeof failure, "%s", error ? error : "libOpenCL.so.1 was not found");
      return;
    }
  }
#define TEMPER_LOOK_UP(name) \
  *(void **)&table.name = dlsym(library, #name); \
  if (!table.name) { snprintf(failure, sizeof failure, "the OpenCL library lacks %s", #name); return; }
  TEMPER_OPENCL_FUNCTIONS(TEMPER_LOOK_UP)
#undef TEMPER_LOOK_UP
  loaded = 1;
}

const TemperOpenCL *temper_opencl(const char **reason) {
  pthread_once(&once, load);
  *reason = failure;
  return loaded ? &table : NULL;
}
