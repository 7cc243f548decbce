// Repairs of the check for uninitialised values in Oclgrind 21.10: a library that tools/oclgrind preloads, so that its
// functions take the place of Oclgrind's with the same symbols.
//
// As released, Oclgrind's plugin "Uninitialized"
// - takes the memory for states of values from a thread-local variable, which is set only in the thread that made
//   the context and in those that run work groups: a write or a launch from any other thread crashes;
// - takes each write of the host for one of a whole buffer: the state of the buffer's other bytes is lost;
// - learns of no allocation: a buffer inherits the state of a freed one at its address;
// - ends a launch at an instruction "freeze", which LLVM makes where a quotient and its remainder are computed;
// - reports stores of nothing: Oclgrind writes a vector made of scalars one by one, after a store of the undefined
//   vector that they are put into.
// Here a buffer is uninitialised when it is allocated, and a write of the host marks the bytes that it writes (as do
// copies and fills on the device); the memory for states exists wherever a launch begins; a frozen value is as
// uninitialised as its operand; what an undefined store leaves is reported where it is read.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL(name) __asm__(name)
// The function of Oclgrind itself that a function of this file stands before.
#define ORIGINAL(function, symbol) \
  static __typeof__(&function) original; \
  if (!original) original = (__typeof__(&function))dlsym(RTLD_NEXT, symbol)

typedef struct Context Context;
typedef struct Memory Memory;
typedef struct Plugin Plugin;
typedef struct ShadowMemory ShadowMemory;
typedef struct { unsigned size, count; const uint8_t *bytes; } Value;

// What Oclgrind has. A state has the bits of a value that are uninitialised.
enum { GLOBAL_MEMORY = 1, MAP_READ = 1, LLVM_STORE = 28, LLVM_FREEZE = 68, INITIALIZED = 0, UNINITIALIZED = 0xff };
extern __thread struct { void *items, *groups, *pool; unsigned users; } workspace
  SYMBOL("_ZN8oclgrind13ShadowContext11m_workSpaceE");
unsigned address_space(const Memory *) SYMBOL("_ZNK8oclgrind6Memory15getAddressSpaceEv");
ShadowMemory *shadow_memory(const Plugin *, unsigned space, const void *item, const void *group)
  SYMBOL("_ZNK8oclgrind13Uninitialized15getShadowMemoryEjPKNS_8WorkItemEPKNS_9WorkGroupE");
void allocate(ShadowMemory *, size_t address, size_t size) SYMBOL("_ZN8oclgrind12ShadowMemory8allocateEmm");
void store(ShadowMemory *, const uint8_t *, size_t address, size_t) SYMBOL("_ZN8oclgrind12ShadowMemory5storeEPKhmm");
void combine_operands(Plugin *, const void *item, const void *instruction)
  SYMBOL("_ZN8oclgrind13Uninitialized8VectorOrEPKNS_8WorkItemEPKN4llvm11InstructionE");
int LLVMGetInstructionOpcode(const void *instruction);
const void *LLVMGetOperand(const void *instruction, unsigned index);
int LLVMIsUndef(const void *value);
void create_pool(void *) SYMBOL("_ZN8oclgrind13ShadowContext16createMemoryPoolEv");

// What takes its place.
#define MAKE_PLUGIN "_ZN8oclgrind13UninitializedC1EPKNS_7ContextE"
#define MEMORY_ALLOCATED "_ZNK8oclgrind7Context21notifyMemoryAllocatedEPKNS_6MemoryEmmmPKh"
#define HOST_MEMORY_STORE "_ZN8oclgrind13Uninitialized15hostMemoryStoreEPKNS_6MemoryEmmPKh"
#define MEMORY_MAP "_ZN8oclgrind13Uninitialized9memoryMapEPKNS_6MemoryEmmmm"
#define KERNEL_BEGIN "_ZN8oclgrind13Uninitialized11kernelBeginEPKNS_16KernelInvocationE"
#define INSTRUCTION_EXECUTED \
  "_ZN8oclgrind13Uninitialized19instructionExecutedEPKNS_8WorkItemEPKN4llvm11InstructionERKNS_10TypedValueE"
#define LOG_WRITE "_ZNK8oclgrind13Uninitialized21logUninitializedWriteEjm"
#define IS_CLEAN "_ZN8oclgrind13ShadowContext12isCleanValueENS_10TypedValueE"
#define DESTROY_POOL "_ZN8oclgrind13ShadowContext17destroyMemoryPoolEv"
void make_plugin(Plugin *, const Context *) SYMBOL(MAKE_PLUGIN);
void memory_allocated(const Context *, const Memory *, size_t address, size_t, uint64_t flags, const uint8_t *)
  SYMBOL(MEMORY_ALLOCATED);
void host_memory_store(Plugin *, const Memory *, size_t address, size_t, const uint8_t *) SYMBOL(HOST_MEMORY_STORE);
void memory_map(Plugin *, const Memory *, size_t address, size_t offset, size_t, uint64_t flags) SYMBOL(MEMORY_MAP);
void kernel_begin(Plugin *, const void *launch) SYMBOL(KERNEL_BEGIN);
void instruction_executed(Plugin *, const void *item, const void *instruction, const void *result)
  SYMBOL(INSTRUCTION_EXECUTED);
void log_write(const Plugin *, unsigned space, size_t address) SYMBOL(LOG_WRITE);
bool is_clean(Value) SYMBOL(IS_CLEAN);
void destroy_pool(void *) SYMBOL(DESTROY_POOL);

// The plugin of each context, the latest first; a context's address may be used again.
typedef struct Entry { const Context *context; Plugin *plugin; struct Entry *next; } Entry;
static Entry *entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static Plugin *plugin_of(const Context *context) {
  pthread_mutex_lock(&lock);
  Entry *entry = entries;
  while (entry && entry->context != context) entry = entry->next;
  pthread_mutex_unlock(&lock);
  return entry ? entry->plugin : NULL;
}

void make_plugin(Plugin *plugin, const Context *context) {
  ORIGINAL(make_plugin, MAKE_PLUGIN);
  original(plugin, context);
  Entry *entry = malloc(sizeof *entry);
  pthread_mutex_lock(&lock);
  *entry = (Entry){context, plugin, entries};
  entries = entry;
  pthread_mutex_unlock(&lock);
}

static void mark(const Plugin *plugin, size_t address, size_t size, int state) {
  uint8_t *states = malloc(size);
  memset(states, state, size);
  store(shadow_memory(plugin, GLOBAL_MEMORY, NULL, NULL), states, address, size);
  free(states);
}

void memory_allocated(
  const Context *context, const Memory *memory, size_t address, size_t size, uint64_t flags, const uint8_t *data) {
  ORIGINAL(memory_allocated, MEMORY_ALLOCATED);
  original(context, memory, address, size, flags, data);
  Plugin *plugin = address_space(memory) == GLOBAL_MEMORY ? plugin_of(context) : NULL;
  if (!plugin) return;
  allocate(shadow_memory(plugin, GLOBAL_MEMORY, NULL, NULL), address, size);
  mark(plugin, address, size, data ? INITIALIZED : UNINITIALIZED);
}

void host_memory_store(Plugin *plugin, const Memory *memory, size_t address, size_t size, const uint8_t *data) {
  (void)data;
  if (address_space(memory) == GLOBAL_MEMORY) mark(plugin, address, size, INITIALIZED);
}

void memory_map(
  Plugin *plugin, const Memory *memory, size_t address, size_t offset, size_t size, uint64_t flags) {
  (void)memory;
  if (!(flags & MAP_READ)) mark(plugin, address + offset, size, INITIALIZED);
}

void kernel_begin(Plugin *plugin, const void *launch) {
  ORIGINAL(kernel_begin, KERNEL_BEGIN);
  create_pool(NULL);
  original(plugin, launch);
  destroy_pool(NULL);
}

static __thread bool stores_undefined;

void instruction_executed(Plugin *plugin, const void *item, const void *instruction, const void *result) {
  ORIGINAL(instruction_executed, INSTRUCTION_EXECUTED);
  const int opcode = LLVMGetInstructionOpcode(instruction);
  stores_undefined = opcode == LLVM_STORE && LLVMIsUndef(LLVMGetOperand(instruction, 0));
  if (opcode == LLVM_FREEZE) combine_operands(plugin, item, instruction);
  else original(plugin, item, instruction, result);
}

void log_write(const Plugin *plugin, unsigned space, size_t address) {
  ORIGINAL(log_write, LOG_WRITE);
  if (!stores_undefined) original(plugin, space, address);
}

// The same as in Oclgrind, which allocates and clears a value to compare with.
bool is_clean(Value state) {
  for (size_t i = 0; i < (size_t)state.size * state.count; i++)
    if (state.bytes[i]) return false;
  return true;
}

// Contexts may be released by other threads than made them.
void destroy_pool(void *shadow) {
  ORIGINAL(destroy_pool, DESTROY_POOL);
  if (workspace.users > 0) original(shadow);
}
