// A persistent pool of worker threads, and the instruction set of this processor.
#pragma once
#include <stdint.h>

/// Levels of vector instructions: 0 baseline, 2 AVX2 + FMA (x86-64-v3), 3 AVX-512 (x86-64-v4).
int temper_instruction_set(void);
/// Whether there are products of pairs of bfloat16 (AVX512-BF16).
int temper_has_bfloat16(void);

typedef struct TemperPool TemperPool;
/// One call per task index in [0, count); tasks of one run execute on several threads in any order.
typedef void (*TemperTask)(void *_Nonnull context, int64_t index);

/// A pool that runs tasks on `threads` threads, the caller included. Returns NULL when threads cannot be made.
TemperPool *_Nullable temper_pool_create(int threads);
/// Ends and joins the workers. No run may be in progress.
void temper_pool_destroy(TemperPool *_Nonnull pool);
int temper_pool_threads(const TemperPool *_Nonnull pool);
/// Runs `count` tasks and returns when all are done. From inside a task, or while another thread is running
/// tasks on this pool, the caller executes all of them itself.
void temper_pool_run(TemperPool *_Nonnull pool, int64_t count, TemperTask _Nonnull task, void *_Nonnull context);
