#pragma once
int temper_kernel_source_count(void);
const char *temper_kernel_source_name(int index);
const char *temper_kernel_source_text(int index);
