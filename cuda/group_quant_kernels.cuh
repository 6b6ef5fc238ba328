// Device code of group-wise quantization.
//
// Unit of work: an octet, 8 consecutive weights of a row. Its codes are `bits` whole bytes and it lies in one
// group, because groups and rows are multiples of 16. Weights, codes and groups are stored without gaps, so
// octet o has the weights from 8 * o, the code bytes from bits * o and the group o >> shift; rows do not
// appear. Numbers of weights are 64-bit. All arithmetic is quant_math.h's, so that every result equals the
// CPU's bit for bit.
#pragma once
#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels/cuda_abi.h"
#include "kernels/quant_math.h"

namespace qslaw::device {

inline constexpr int kOctet = 8;
inline constexpr int kLanes = 16;  // partial sums of gamma's gradient, as in lib/kernels/group_quant_cpu.cpp

/// All octets of a matrix; `shift` is log2 of a group's octets.
struct Octets {
  int64_t count;
  int shift;
};

/// A group's constants, widened. step is scale * gamma.
struct Group {
  float scale, step, zero, gamma;
};

__device__ __forceinline__ Group read_group(const CudaGrid& grid, int64_t group) {
  const float scale = grid.scale[group];
  const float gamma = grid.gamma ? grid.gamma[group] : 1.0F;
  return {scale, scale * gamma, static_cast<float>(grid.zero[group]), gamma};
}

/// Eight codes as they lie in memory.
template <int kBits>
struct alignas(kBits == 3 ? 1 : kBits) Codes {
  uint8_t bytes[kBits];
};

/// Holds eight codes.
template <int kBits>
using CodeWord = std::conditional_t<kBits == 8, uint64_t, uint32_t>;

template <int kBits>
__device__ __forceinline__ CodeWord<kBits> load_codes(const uint8_t* codes, int64_t octet) {
  const Codes<kBits> packed = reinterpret_cast<const Codes<kBits>*>(codes)[octet];
  CodeWord<kBits> word = 0;
  for (int i = 0; i < kBits; ++i)
    word |= static_cast<CodeWord<kBits>>(packed.bytes[i]) << (8 * i);
  return word;
}

template <int kBits>
__device__ __forceinline__ void store_codes(uint8_t* codes, int64_t octet, CodeWord<kBits> word) {
  Codes<kBits> packed;
  for (int i = 0; i < kBits; ++i)
    packed.bytes[i] = static_cast<uint8_t>(word >> (8 * i));
  reinterpret_cast<Codes<kBits>*>(codes)[octet] = packed;
}

template <int kBits>
__device__ __forceinline__ int code_of(CodeWord<kBits> word, int i) {
  return static_cast<int>((word >> (i * kBits)) & ((1U << kBits) - 1U));
}

// One thread per octet. Bytes moved per weight: sizeof(Source) read, bits/8 written; per group 10 read (6
// without gamma).
template <typename Source, int kBits>
__global__ void quantize_packed_kernel(const Source* weight, CudaGrid grid, Octets octets, uint8_t* codes) {
  const int64_t octet = global_thread();
  if (octet >= octets.count) return;
  constexpr float kTop = (1 << kBits) - 1;
  const Group group = read_group(grid, octet >> octets.shift);
  const Values<Source, kOctet> w = load<kOctet>(weight, octet);
  CodeWord<kBits> word = 0;
  for (int i = 0; i < kOctet; ++i) {
    const float code = clamp_code(grid_position(widen(w.values[i]), group.step, group.zero), kTop);
    word |= static_cast<CodeWord<kBits>>(static_cast<int>(code)) << (i * kBits);
  }
  store_codes<kBits>(codes, octet, word);
}

// One thread per octet. Bytes moved per weight: bits/8 read, sizeof(Target) written; per group 6 read.
template <int kBits, typename Target>
__global__ void dequantize_packed_kernel(const uint8_t* codes, CudaGrid grid, Octets octets, Target* out) {
  const int64_t octet = global_thread();
  if (octet >= octets.count) return;
  const Group group = read_group(grid, octet >> octets.shift);
  const CodeWord<kBits> word = load_codes<kBits>(codes, octet);
  Values<Target, kOctet> w;
  for (int i = 0; i < kOctet; ++i) {
    narrow(code_value(static_cast<float>(code_of<kBits>(word, i)), group.scale, group.zero), w.values[i]);
  }
  store(out, octet, w);
}

// One thread per octet. Bytes moved per weight: sizeof(Source) read, sizeof(Target) written; per group 10
// read.
template <typename Source, typename Target>
__global__ void fake_quantize_kernel(const Source* weight, CudaGrid grid, Octets octets, float top,
                                     Target* out) {
  const int64_t octet = global_thread();
  if (octet >= octets.count) return;
  const Group group = read_group(grid, octet >> octets.shift);
  const Values<Source, kOctet> source = load<kOctet>(weight, octet);
  Values<Target, kOctet> target;
  for (int i = 0; i < kOctet; ++i) {
    const float code = clamp_code(grid_position(widen(source.values[i]), group.step, group.zero), top);
    narrow(code_value(code, group.scale, group.zero), target.values[i]);
  }
  store(out, octet, target);
}

// Half a warp per group: lane l adds the weights l, l + 16, l + 32, ... in order and the lanes are added by
// halves, the order of the CPU's sum. Bytes moved per weight: sizeof(Source) + 4 read; per group 10 read, 4
// written.
template <typename Source>
__global__ void gamma_gradient_kernel(const Source* weight, CudaGrid grid, const float* gradient,
                                      int64_t groups, int64_t group_size, float top, float* out) {
  const int64_t index = global_thread() / kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const bool active = index < groups;  // the last block's idle threads still take part in the shuffles
  const Group group = active ? read_group(grid, index) : Group{1.0F, 1.0F, 0.0F, 1.0F};
  float sum = 0.0F;
  if (active) {
    const int64_t begin = index * group_size + lane;
    for (int64_t i = begin; i < (index + 1) * group_size; i += kLanes) {
      const float w = widen(weight[i]);
      sum += gamma_term(w, grid_position(w, group.step, group.zero), top, gradient[i]);
    }
  }
  for (int width = kLanes / 2; width > 0; width /= 2)
    sum += __shfl_down_sync(0xFFFFFFFFU, sum, width, kLanes);
  if (active && lane == 0) out[index] = -sum / (group.gamma * group.gamma);
}

// One thread per octet, the table in shared memory. Bytes moved per weight: bits/8 read, sizeof(Target)
// written; per group 1 read, and 4 per 256 groups; from the cache the table, 4 * 2^bits, once per block of
// 2048 weights, and the absmax' map.
template <int kBits, typename Target>
__global__ void dequantize_table_kernel(const uint8_t* codes, AbsmaxView absmax, const float* table,
                                        Octets octets, Target* out) {
  __shared__ float levels[1 << kBits];
  for (int i = static_cast<int>(threadIdx.x); i < 1 << kBits; i += static_cast<int>(blockDim.x))
    levels[i] = table[i];
  __syncthreads();
  const int64_t octet = global_thread();
  if (octet >= octets.count) return;
  const float scale = absmax_at(absmax, octet >> octets.shift);
  const CodeWord<kBits> word = load_codes<kBits>(codes, octet);
  Values<Target, kOctet> w;
  for (int i = 0; i < kOctet; ++i)
    narrow(levels[code_of<kBits>(word, i)] * scale, w.values[i]);
  store(out, octet, w);
}

}  // namespace qslaw::device
