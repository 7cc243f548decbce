// Matrix units for products of rounded operands with float32 sums: the tensor cores of NVIDIA GPUs of compute capability
// 8.0 and later, by inline PTX. Names and layouts are those of the PTX ISA: of a warp's 32 lanes, lane 4 g + t holds
//   A (16 x depth)  register i: row g + i % 2 * 8, depths from (i / 2 * 4 + t) * VALUES
//   B (depth x 8)   register i: column g, depths from (i * 4 + t) * VALUES
//   C (16 x 8)      value i: row g + i / 2 * 8, column 2 t + i % 2
// with VALUES values in a register of 32 bits. A pointer to local memory is an offset in the shared window there, whose low
// 32 bits PTX takes as address; the check of the kernels at the start would find a compiler that has it otherwise.
//
// EMULATE_MMA computes the same in plain OpenCL C, with exchanges through local memory, so that all of the indexing can be
// tested without such a GPU; every item of a work group must call it. It is never chosen for users.
//
// OPERAND_BITS: 16 for bfloat16, as which operands lie in global memory; 19 for tf32 (8 bits of exponent, 10 of fraction),
// to which floats are rounded on their way into local memory, or out of it where they are copied there without registers;
// 32 for products that need no matrix units.
#ifndef OPERAND_BITS
#define OPERAND_BITS 32
#endif
#if OPERAND_BITS == 16
#define OPERAND ushort
#else
#define OPERAND float
#endif
#if OPERAND_BITS != 32
#define VALUES (OPERAND_BITS == 16 ? 2 : 1)
// Depths of one multiplication.
#define MMA_DEPTH (8 * VALUES)

// To the nearest, ties away from zero, which is what cvt.rna.tf32.f32 compiles to; infinities stay, and so does NaN as
// arithmetic makes it.
inline uint round_tf32(const float x) {
  const uint bits = as_uint(x);
  return (fabs(x) < INFINITY ? bits + 0x1000u : bits) & 0xFFFFE000u;
}

// Copies into slices that are under way without registers (product_body_mma_gpu.cl): copy_ahead begins one of `bytes` bytes,
// 4, 8 or 16, with zeros in place of what does not exist; COMMIT_COPIES ends a group of them, also an empty one; and
// WAIT_FOR_COPIES waits for an item's own but the last STAGES - 2 groups.
#ifdef EMULATE_MMA
#define UNROLL_MMA _Pragma("unroll 1")
#define COMMIT_COPIES
#define WAIT_FOR_COPIES
#define EXCHANGE local uint exchange[6 * ITEMS];
#define LDMATRIX(target, slice, offset, trans) ldmatrix_x4(target, slice, offset, trans, exchange)
#define MMA(sum, a, b0, b1) mma(sum, a, b0, b1, exchange)

inline void copy_ahead(
    local uint *slice, const uint place, global const OPERAND *source, const int bytes, const bool exists) {
  for (int i = 0; i < bytes / 4; i++) slice[place / 4 + i] = exists ? ((global const uint *)source)[i] : 0;
}

inline uint round_operand(const uint bits) { return round_tf32(as_float(bits)); }

// Four matrices of 8 rows of 16 bytes: lane i gives the place of row i % 8 of matrix i / 8, in bytes. Lane 4 g + t gets
// word t of row g; or with `trans` elements (2 t, g) and (2 t + 1, g) of 16 bits.
inline void ldmatrix_x4(
    uint *target, local const uint *slice, const uint offset, const bool trans, local uint *exchange) {
  const uint item = get_local_id(0), lane = item % 32, warp = item - lane;
  local const ushort *halves = (local const ushort *)slice;
  exchange[item] = offset;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = 0; i < 4; i++) {
    local const uint *rows = exchange + warp + 8 * i;
    if (trans)
      target[i] = halves[rows[lane % 4 * 2] / 2 + lane / 4] |
        (uint)halves[rows[lane % 4 * 2 + 1] / 2 + lane / 4] << 16;
    else target[i] = slice[rows[lane / 4] / 4 + lane % 4];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

// Value `d % VALUES` of a register.
inline float value_of(const uint bits, const uint d) {
  if (OPERAND_BITS == 16) return as_float(d % 2 ? bits & 0xFFFF0000u : bits << 16);
  return as_float(bits & 0xFFFFE000u);
}

// sum (C) += A B.
inline void mma(float *sum, const uint *a, const uint b0, const uint b1, local uint *exchange) {
  const uint item = get_local_id(0), lane = item % 32, warp = item - lane;
  for (uint i = 0; i < 4; i++) exchange[6 * item + i] = a[i];
  exchange[6 * item + 4] = b0;
  exchange[6 * item + 5] = b1;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = 0; i < 4; i++) {
    const uint column = lane % 4 * 2 + i % 2;
    for (uint d = 0; d < MMA_DEPTH; d++) {
      const uint t = d / VALUES % 4, high = d / VALUES / 4;
      const uint left = exchange[6 * (warp + lane / 4 * 4 + t) + high * 2 + i / 2];
      const uint right = exchange[6 * (warp + column * 4 + t) + 4 + high];
      sum[i] = fma(value_of(left, d), value_of(right, d), sum[i]);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}
#else
#define UNROLL_MMA _Pragma("unroll")
#define EXCHANGE
#define LDMATRIX(target, slice, offset, trans) ldmatrix_x4(target, slice, offset, trans)
#define MMA(sum, a, b0, b1) mma(sum, a, b0, b1)
#define COMMIT_COPIES asm volatile("cp.async.commit_group;" : : : "memory");
#define WAIT_FOR_COPIES \
  if (STAGES == 3) asm volatile("cp.async.wait_group 1;" : : : "memory"); \
  else asm volatile("cp.async.wait_group 2;" : : : "memory");

inline void copy_ahead(
    local uint *slice, const uint place, global const OPERAND *source, const int bytes, const bool exists) {
  const uint target = (uint)(size_t)slice + place, count = exists ? bytes : 0;
  if (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(target), "l"(source), "r"(count) : "memory");
  else if (bytes == 8)
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" : : "r"(target), "l"(source), "r"(count) : "memory");
  else asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" : : "r"(target), "l"(source), "r"(count) : "memory");
}

inline uint round_operand(const uint bits) {
  uint rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(as_float(bits)));
  return rounded;
}

// Volatile and a user of memory, so that it stays between the barriers.
inline void ldmatrix_x4(uint *target, local const uint *slice, const uint offset, const bool trans) {
  const uint address = (uint)(size_t)slice + offset;
  uint r0, r1, r2, r3;
  if (trans)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
  target[0] = r0; target[1] = r1; target[2] = r2; target[3] = r3;
}

// Volatile, so that it never moves to where lanes have parted.
inline void mma(float *sum, const uint *a, const uint b0, const uint b1) {
  float s0, s1, s2, s3;
#if OPERAND_BITS == 16
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%10, %11, %12, %13};"
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%10, %11, %12, %13};"
#endif
    : "=f"(s0), "=f"(s1), "=f"(s2), "=f"(s3)
    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(sum[0]), "f"(sum[1]), "f"(sum[2]),
      "f"(sum[3]));
  sum[0] = s0; sum[1] = s1; sum[2] = s2; sum[3] = s3;
}
#endif

// Slices of operands in local memory lie as their loads do: lines of depths, or of rows of A^T or columns of B where these
// are neighbours (`along`). A line has `chunks` chunks of 16 bytes, which are exchanged so that neither eight lines of a
// chunk, as ldmatrix reads them, nor single words of four lines, which tf32 needs where it would transpose, nor the loads
// of neighbouring items meet in a bank. The place of position `at` of a line, in bytes:
inline uint slice_place(const uint line, const uint at, const uint chunks, const bool along) {
  const uint chunk = at * (4 / VALUES) / 16, byte = at * (4 / VALUES) % 16;
  const uint spread = chunks < 8 ? 8 / chunks : 1, count = chunks < 8 ? chunks : 8;
  const uint exchanged = VALUES == 1 && along ? line % 4 * 2 % count : line / spread % count;
  return (line * chunks + (chunk ^ exchanged)) * 16 + byte;
}

// A load into a slice: of `count` floats, 1, 2 or 4, which are rounded to tf32 here; or of up to 8 values of bfloat16.
inline void write_values(local uint *slice, const uint place, const OPERAND *source, const int count) {
#if OPERAND_BITS == 16
  if (count == 8) *(local uint4 *)(slice + place / 4) = *(const uint4 *)source;
  else if (count == 4) *(local uint2 *)(slice + place / 4) = *(const uint2 *)source;
  else if (count == 2) slice[place / 4] = *(const uint *)source;
  else ((local ushort *)slice)[place / 2] = *source;
#else
  if (count == 4)
    *(local uint4 *)(slice + place / 4) =
      (uint4)(round_tf32(source[0]), round_tf32(source[1]), round_tf32(source[2]), round_tf32(source[3]));
  else if (count == 2) *(local uint2 *)(slice + place / 4) = (uint2)(round_tf32(source[0]), round_tf32(source[1]));
  else slice[place / 4] = round_tf32(source[0]);
#endif
}

// Single words where neighbours are rows or columns, at slice_place(d + lane % 4, start + offset + lane / 4, chunks, 1), with
// d a multiple of 4: a pointer of which the compiler needs four per lane, and a constant.
inline local const uint *word_of(
    local const uint *slice, const uint d, const uint start, const uint offset, const uint lane, const uint chunks) {
  const uint chunk = start / 4 + lane / 16, exchanged = lane % 4 * 2 % (chunks < 8 ? chunks : 8);
  const uint swapped = (offset / 4 % 8) ^ exchanged ^ (chunk & 6u);
  return slice + (lane % 4 * chunks + (chunk & ~6u) + swapped) * 4 + lane / 4 % 4 + (d * chunks + offset / 32 * 8) * 4;
}

// Four registers for 16 rows or columns from `start + offset`, of which only `start` depends on the warp, and MMA_DEPTH
// depths from `d` of a slice. Register i has those of A, or with `pairs`, which is for B, registers 0 and 1 are those of the first
// 8 columns, 2 and 3 those of the others: pairs, because the instruction wants neighbouring registers. Floats that were copied
// are rounded here.
#define UPPER_HALF(i, pairs) ((pairs) ? (i) / 2 : (i) % 2)
#define UPPER_DEPTHS(i, pairs) ((pairs) ? (i) % 2 : (i) / 2)
#define READ_BLOCK(target, slice, start, offset, d, along, chunks, pairs) \
  { \
    const uint e = (start) + (offset) + UPPER_HALF(lane / 8, pairs) * 8; \
    const uint depths = (d) + UPPER_DEPTHS(lane / 8, pairs) * 4 * VALUES; \
    if (!(along)) LDMATRIX(target, slice, slice_place(e + lane % 8, depths, chunks, 0), 0); \
    else if (VALUES == 2) LDMATRIX(target, slice, slice_place(depths + lane % 8, e, chunks, 1), 1); \
    else { \
      UNROLL_MMA for (int v = 0; v < 4; v++) \
        target[v] = *word_of( \
          slice, (d) + UPPER_DEPTHS(v, pairs) * 4, start, (offset) + UPPER_HALF(v, pairs) * 8, lane, chunks); \
    } \
    if (COPIES_SLICES && VALUES == 1) \
      UNROLL_MMA for (int v = 0; v < 4; v++) target[v] = round_operand(target[v]); \
  }
#endif
