// The OpenCL entry points that Temper calls, looked up at run time: a program built with these headers starts
// on a machine without any OpenCL library.
#pragma once
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#ifdef __APPLE__
#include <OpenCL/cl.h>
#else
#include <CL/cl.h>
#endif

#define TEMPER_OPENCL_FUNCTIONS(F) \
  F(clGetPlatformIDs) F(clGetPlatformInfo) F(clGetDeviceIDs) F(clGetDeviceInfo) F(clCreateContext) \
  F(clReleaseContext) F(clCreateCommandQueue) F(clReleaseCommandQueue) F(clCreateBuffer) \
  F(clCreateSubBuffer) F(clReleaseMemObject) F(clCreateProgramWithSource) F(clCreateProgramWithBinary) \
  F(clBuildProgram) F(clGetProgramInfo) F(clGetProgramBuildInfo) F(clReleaseProgram) F(clCreateKernel) \
  F(clSetKernelArg) F(clReleaseKernel) F(clEnqueueNDRangeKernel) F(clEnqueueReadBuffer) \
  F(clEnqueueWriteBuffer) F(clEnqueueCopyBuffer) F(clEnqueueFillBuffer) F(clEnqueueMapBuffer) \
  F(clEnqueueUnmapMemObject) F(clEnqueueBarrierWithWaitList) F(clEnqueueMarkerWithWaitList) \
  F(clGetEventInfo) F(clGetEventProfilingInfo) F(clWaitForEvents) F(clRetainEvent) F(clReleaseEvent) \
  F(clCreateUserEvent) F(clSetUserEventStatus) F(clFlush) F(clFinish)

/// One pointer per entry point; all are set once `temper_opencl_load` has returned NULL.
typedef struct {
#define TEMPER_FIELD(name) __typeof__(&name) _Nonnull name;
  TEMPER_OPENCL_FUNCTIONS(TEMPER_FIELD)
#undef TEMPER_FIELD
} TemperOpenCL;

/// The table, filled on the first call. NULL when no OpenCL library can be opened; `*reason` then says why.
/// A library that is already loaded (a tracer or Oclgrind, preloaded) wins over the ICD loader.
const TemperOpenCL *_Nullable temper_opencl(const char *_Nullable *_Nonnull reason);
