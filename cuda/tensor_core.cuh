// What products use of the GPU beyond plain CUDA: tiles of the matrix units, pairs of 16-bit elements, copies
// to shared memory that run beside the arithmetic. nvcc's side, from sm_80 on; where device code runs on the
// CPU, its includer has declared the same functions (tests/kernels/tensor_core_on_cpu.h).
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace qslaw::device {

/// sums += a b, by a whole warp: a [16, 16], b [16, 8], sums [16, 8]; T is __nv_bfloat16 or __half. Of lane
/// l, with r = l / 4 and c = l % 4 * 2, a register holds two elements, the first in its low half:
///   a[0], a[1], a[2], a[3]: rows r, r + 8, r, r + 8 at columns c, c, c + 8, c + 8, and the columns behind
///   b0, b1: rows c and c + 8 of column r, and the rows behind
///   sums[0], sums[1], sums[2], sums[3]: (r, c), (r, c + 1), (r + 8, c), (r + 8, c + 1)
/// (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type").
template <typename T>
__device__ __forceinline__ void multiply_tile(const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                              float (&sums)[4]) {
  if constexpr (std::is_same_v<T, __half>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    static_assert(std::is_same_v<T, __nv_bfloat16>);
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

/// Both rounded to T as narrow() does, `first` in the low half. The instruction names the high half first.
template <typename T>
__device__ __forceinline__ uint32_t pack_pair(float first, float second) {
  uint32_t pair;
  if constexpr (std::is_same_v<T, __half>) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  } else {
    static_assert(std::is_same_v<T, __nv_bfloat16>);
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  }
  return pair;
}

/// a * b + c of either half, rounded once to T.
template <typename T>
__device__ __forceinline__ uint32_t multiply_add_pair(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t pair;
  if constexpr (std::is_same_v<T, __half>) {
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(pair) : "r"(a), "r"(b), "r"(c));
  } else {
    static_assert(std::is_same_v<T, __nv_bfloat16>);
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(pair) : "r"(a), "r"(b), "r"(c));
  }
  return pair;
}

/// Begins a copy of 16 bytes, aligned to 16, into shared memory; of zeros unless `valid`.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const uint32_t bytes = valid ? 16U : 0U;  // read; the others are zeros
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(bytes)
               : "memory");
}

/// Closes the group of the copies that this thread has begun since the last one.
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until all groups of this thread but its last kPending are there. Other threads see them after a
/// barrier.
template <int kPending>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace qslaw::device
