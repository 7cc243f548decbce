#define _GNU_SOURCE
#include "CThreads.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

// Idle workers watch the generation counter for about 20 microseconds, which spans the gap between two
// operations of a network, and then sleep on a condition variable: launching costs 0.15 us back to back and
// 11-23 us once parked, and an idle process uses no processor time.
enum { SPINS = 6000 };

// The tasks that a thread begins with, in cache lines of its own. Others take what it has not got to in time.
typedef struct {
  _Alignas(128) _Atomic int64_t next;
  int64_t end;
} Share;

typedef struct {
  TemperPool *pool;
  int number;
} Worker;

struct TemperPool {
  int threads;
  pthread_t *workers;
  Worker *identities;
  Share *shares;
  _Atomic uint64_t generation;
  _Atomic int running;
  _Atomic int parked;
  atomic_bool stopping;
  atomic_flag busy;
  TemperTask task;
  void *context;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
};

static _Thread_local bool inside_task = false;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Stores past the caches become visible to other threads before anything that is stored later.
static inline void end_streams(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

// Thread `number` runs its own share first. Operations split images in the same way, so that a thread mostly reads what it
// has written, from its own caches.
static void execute(TemperPool *pool, int number) {
  inside_task = true;
  for (int i = 0; i < pool->threads; i++) {
    Share *share = &pool->shares[(number + i) % pool->threads];
    for (;;) {
      int64_t index = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
      if (index >= share->end) break;
      pool->task(pool->context, index);
    }
  }
  inside_task = false;
  end_streams();
}

static void await_generation(TemperPool *pool, uint64_t seen) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->parked, 1);
  while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->parked, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void *worker(void *argument) {
  Worker *self = argument;
  TemperPool *pool = self->pool;
  uint64_t seen = 0;
  for (;;) {
    await_generation(pool, seen);
    seen++;
    if (atomic_load(&pool->stopping)) return NULL;
    execute(pool, self->number);
    atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
  }
}

static void advance_generation(TemperPool *pool) {
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->parked) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
}

static void release(TemperPool *pool) {
  free(pool->shares);
  free(pool->identities);
  free(pool->workers);
  free(pool);
}

TemperPool *temper_pool_create(int threads) {
  if (threads < 1) threads = 1;
  TemperPool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  pool->identities = calloc((size_t)threads, sizeof *pool->identities);
  pool->shares = aligned_alloc(_Alignof(Share), (size_t)threads * sizeof *pool->shares);
  if (!pool->workers || !pool->identities || !pool->shares) { release(pool); return NULL; }
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  atomic_flag_clear(&pool->busy);
  pool->threads = 1;
  for (int i = 1; i < threads; i++) {
    pool->identities[i] = (Worker){pool, i};
    if (pthread_create(&pool->workers[i - 1], NULL, worker, &pool->identities[i]) != 0) break;
    pool->threads++;
  }
  return pool;
}

void temper_pool_destroy(TemperPool *pool) {
  atomic_store(&pool->stopping, true);
  advance_generation(pool);
  for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i], NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  release(pool);
}

int temper_pool_threads(const TemperPool *pool) { return pool->threads; }

void temper_pool_run(TemperPool *pool, int64_t count, TemperTask task, void *context) {
  bool alone = count <= 1 || pool->threads == 1 || inside_task;
  if (alone || atomic_flag_test_and_set_explicit(&pool->busy, memory_order_acquire)) {
    for (int64_t i = 0; i < count; i++) task(context, i);
    end_streams();
    return;
  }
  pool->task = task;
  pool->context = context;
  for (int i = 0; i < pool->threads; i++) {
    atomic_store_explicit(&pool->shares[i].next, i * count / pool->threads, memory_order_relaxed);
    pool->shares[i].end = (i + 1) * count / pool->threads;
  }
  atomic_store_explicit(&pool->running, pool->threads - 1, memory_order_relaxed);
  advance_generation(pool);
  execute(pool, 0);
  for (int spins = 0; atomic_load_explicit(&pool->running, memory_order_acquire) > 0;) {
    pause_briefly();
    if (++spins > SPINS) { sched_yield(); spins = 0; }
  }
  atomic_flag_clear_explicit(&pool->busy, memory_order_release);
}
