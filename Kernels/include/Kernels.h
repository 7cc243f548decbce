// The OpenCL C sources of this folder, embedded when the target is compiled.
#pragma once

/// Number of sources.
int temper_kernel_source_count(void);
/// File name of a source, such as "matmul.cl".
const char *_Nonnull temper_kernel_source_name(int index);
/// Text of a source.
const char *_Nonnull temper_kernel_source_text(int index);
