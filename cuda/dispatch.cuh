// From the plain arguments of a table's entry to a kernel's instance and grid. nvcc queues
// kernels by launch.cuh; where the code runs on the CPU, its includer has declared the same function
// (tests/kernels/device_launch.h).
#pragma once
#include <initializer_list>
#include <type_traits>

#if defined(__CUDACC__)
#include "launch.cuh"
#endif
#include "elements.cuh"
#include "kernels/cuda_abi.h"

namespace qslaw::device {

inline constexpr int kThreads = 256;

inline int64_t blocks_for(int64_t threads, int64_t per_block = kThreads) {
  return (threads + per_block - 1) / per_block;
}

/// The type behind a pointer that with_type hands out.
template <typename Pointer>
using ElementOf = std::remove_const_t<std::remove_pointer_t<Pointer>>;

template <typename T>
const T* as(const CudaInput& input) {
  return static_cast<const T*>(input.data);
}
template <typename T>
T* as(const CudaOutput& output) {
  return static_cast<T*>(output.data);
}

/// fn(pointer to the element type).
template <typename Fn>
const char* with_type(const CudaInput& input, Fn fn) {
  switch (input.type) {
    case Element::float32:
      return fn(as<float>(input));
    case Element::bfloat16:
      return fn(as<__nv_bfloat16>(input));
    case Element::float16:
      return fn(as<__half>(input));
  }
  return "unknown element type";
}

template <typename Fn>
const char* with_type(const CudaOutput& output, Fn fn) {
  return with_type(CudaInput{output.data, output.type},
                   [&](auto* data) { return fn(const_cast<ElementOf<decltype(data)>*>(data)); });
}

/// fn(std::integral_constant of 8 or 1): elements per access. Eight where rows of n elements can be cut so
/// and all pointers allow it, which those of whole tensors do; single ones are for odd widths and views.
template <typename Fn>
const char* with_width(int64_t n, std::initializer_list<const void*> pointers, Fn fn) {
  bool wide = n % 8 == 0;
  for (const void* pointer : pointers)
    wide &= reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
  return wide ? fn(std::integral_constant<int, 8>{}) : fn(std::integral_constant<int, 1>{});
}

/// fn(Index{}) for Place (elements.cuh): 32 bits where they hold n, which no number may be above. A few
/// divisions of 64-bit numbers, some hundred instructions each, take longer than the bytes of a thread.
template <typename Fn>
const char* with_index(int64_t n, Fn fn) {
  return n <= int64_t{UINT32_MAX} ? fn(uint32_t{}) : fn(int64_t{});
}

/// fn(std::integral_constant of the bits).
template <typename Fn>
const char* with_bits(const CudaShape& shape, Fn fn) {
  switch (shape.bits) {
    case 2:
      return fn(std::integral_constant<int, 2>{});
    case 3:
      return fn(std::integral_constant<int, 3>{});
    case 4:
      return fn(std::integral_constant<int, 4>{});
    case 8:
      return fn(std::integral_constant<int, 8>{});
    default:
      return "expected 2, 3, 4 or 8 bits";
  }
}

}  // namespace qslaw::device
