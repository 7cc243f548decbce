// Times CLBlast's SGEMM of square matrices on the first OpenCL device whose platform's name contains an argument.
//   bench_clblast PLATFORM SECONDS N...      prints a line "N milliseconds" per size: the median of single products
#define CL_TARGET_OPENCL_VERSION 120
#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void require(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "error: %s failed\n", what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  const double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

static cl_device_id device_of(const char *wanted) {
  cl_platform_id platforms[16];
  cl_uint count = 0;
  require(clGetPlatformIDs(16, platforms, &count) == CL_SUCCESS, "clGetPlatformIDs");
  for (cl_uint i = 0; i < count && i < 16; i++) {
    char name[256] = "";
    cl_device_id device;
    clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL);
    if (strstr(name, wanted) && clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS)
      return device;
  }
  require(0, "finding the platform");
  return NULL;
}

static cl_mem matrix(cl_context context, size_t n) {
  float *values = malloc(n * n * sizeof *values);
  require(values != NULL, "malloc");
  for (size_t i = 0; i < n * n; i++) values[i] = (float)(i % 2003) / 1001.0f - 1.0f;
  cl_int status;
  cl_mem memory = clCreateBuffer(
      context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, n * n * sizeof *values, values, &status);
  require(status == CL_SUCCESS, "clCreateBuffer");
  free(values);
  return memory;
}

static double median(cl_context context, cl_command_queue queue, size_t n, double budget) {
  cl_mem a = matrix(context, n), b = matrix(context, n), c = matrix(context, n);
  enum { most = 10000 };
  static double samples[most];
  int count = 0;
  double start = 0;
  for (int run = -2; run < most && (run < 3 || now() - start < budget); run++) {
    if (run == 0) start = now();
    const double began = now();
    require(
        CLBlastSgemm(
            CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, n, n, n, 1, a, 0, n, b, 0, n, 0, c, 0, n,
            &queue, NULL) == CLBlastSuccess, "CLBlastSgemm");
    clFinish(queue);
    if (run >= 0) samples[count++] = now() - began;
  }
  qsort(samples, (size_t)count, sizeof *samples, ascending);
  clReleaseMemObject(a), clReleaseMemObject(b), clReleaseMemObject(c);
  return samples[count / 2];
}

int main(int argc, char **argv) {
  require(argc > 3, "reading the arguments");
  cl_device_id device = device_of(argv[1]);
  cl_int status;
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
  require(status == CL_SUCCESS, "clCreateContext");
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &status);
  require(status == CL_SUCCESS, "clCreateCommandQueue");
  for (int i = 3; i < argc; i++) {
    const size_t n = (size_t)atol(argv[i]);
    printf("%zu %.4f\n", n, 1e3 * median(context, queue, n, atof(argv[2])));
    fflush(stdout);
  }
}
