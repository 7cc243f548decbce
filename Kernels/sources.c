#include "Kernels.h"
#pragma clang diagnostic ignored "-Wc23-extensions"

static const char common[] = {
#embed "common.cl" suffix(,)
  0 };
static const char product_cpu[] = {
#embed "product_cpu.cl" suffix(,)
  0 };
static const char product_gpu[] = {
#embed "product_gpu.cl" suffix(,)
  0 };
static const char product_body_gpu[] = {
#embed "product_body_gpu.cl" suffix(,)
  0 };
static const char product_body_mma_gpu[] = {
#embed "product_body_mma_gpu.cl" suffix(,)
  0 };
static const char mma_gpu[] = {
#embed "mma_gpu.cl" suffix(,)
  0 };
static const char epilogue_gpu[] = {
#embed "epilogue_gpu.cl" suffix(,)
  0 };
static const char matmul_cpu[] = {
#embed "matmul_cpu.cl" suffix(,)
  0 };
static const char matmul_gpu[] = {
#embed "matmul_gpu.cl" suffix(,)
  0 };
static const char images_cpu[] = {
#embed "images_cpu.cl" suffix(,)
  0 };
static const char convolution_cpu[] = {
#embed "convolution_cpu.cl" suffix(,)
  0 };
static const char convolution_scatter_cpu[] = {
#embed "convolution_scatter_cpu.cl" suffix(,)
  0 };
static const char convolution_gather_cpu[] = {
#embed "convolution_gather_cpu.cl" suffix(,)
  0 };
static const char convolution_weight_cpu[] = {
#embed "convolution_weight_cpu.cl" suffix(,)
  0 };
static const char convolution_gpu[] = {
#embed "convolution_gpu.cl" suffix(,)
  0 };
static const char winograd_cpu[] = {
#embed "winograd_cpu.cl" suffix(,)
  0 };
static const char winograd_tiles_cpu[] = {
#embed "winograd_tiles_cpu.cl" suffix(,)
  0 };
static const char winograd_weight_cpu[] = {
#embed "winograd_weight_cpu.cl" suffix(,)
  0 };
static const char winograd_colors_cpu[] = {
#embed "winograd_colors_cpu.cl" suffix(,)
  0 };
static const char winograd_gpu[] = {
#embed "winograd_gpu.cl" suffix(,)
  0 };
static const char pooling[] = {
#embed "pooling.cl" suffix(,)
  0 };
static const char pooling_cpu[] = {
#embed "pooling_cpu.cl" suffix(,)
  0 };
static const char normalization[] = {
#embed "normalization.cl" suffix(,)
  0 };
static const char normalization_cpu[] = {
#embed "normalization_cpu.cl" suffix(,)
  0 };
static const char softmax[] = {
#embed "softmax.cl" suffix(,)
  0 };
static const char elementwise[] = {
#embed "elementwise.cl" suffix(,)
  0 };
static const char reduction[] = {
#embed "reduction.cl" suffix(,)
  0 };
static const char reduction_gpu[] = {
#embed "reduction_gpu.cl" suffix(,)
  0 };
static const char attack[] = {
#embed "attack.cl" suffix(,)
  0 };
static const char random_[] = {
#embed "random.cl" suffix(,)
  0 };
static const char optimizer[] = {
#embed "optimizer.cl" suffix(,)
  0 };
static const char augmentation[] = {
#embed "augmentation.cl" suffix(,)
  0 };

static const struct { const char *name, *text; } sources[] = {
  {"common.cl", common},
  {"product_cpu.cl", product_cpu},
  {"product_gpu.cl", product_gpu},
  {"product_body_gpu.cl", product_body_gpu},
  {"product_body_mma_gpu.cl", product_body_mma_gpu},
  {"mma_gpu.cl", mma_gpu},
  {"epilogue_gpu.cl", epilogue_gpu},
  {"matmul_cpu.cl", matmul_cpu},
  {"matmul_gpu.cl", matmul_gpu},
  {"images_cpu.cl", images_cpu},
  {"convolution_cpu.cl", convolution_cpu},
  {"convolution_scatter_cpu.cl", convolution_scatter_cpu},
  {"convolution_gather_cpu.cl", convolution_gather_cpu},
  {"convolution_weight_cpu.cl", convolution_weight_cpu},
  {"convolution_gpu.cl", convolution_gpu},
  {"winograd_cpu.cl", winograd_cpu},
  {"winograd_tiles_cpu.cl", winograd_tiles_cpu},
  {"winograd_weight_cpu.cl", winograd_weight_cpu},
  {"winograd_colors_cpu.cl", winograd_colors_cpu},
  {"winograd_gpu.cl", winograd_gpu},
  {"pooling.cl", pooling},
  {"pooling_cpu.cl", pooling_cpu},
  {"normalization.cl", normalization},
  {"normalization_cpu.cl", normalization_cpu},
  {"softmax.cl", softmax},
  {"elementwise.cl", elementwise},
  {"reduction.cl", reduction},
  {"reduction_gpu.cl", reduction_gpu},
  {"attack.cl", attack},
  {"random.cl", random_},
  {"optimizer.cl", optimizer},
  {"augmentation.cl", augmentation},
};

int temper_kernel_source_count(void) { return sizeof sources / sizeof *sources; }
const char *temper_kernel_source_name(int index) { return sources[index].name; }
const char *temper_kernel_source_text(int index) { return sources[index].text; }
