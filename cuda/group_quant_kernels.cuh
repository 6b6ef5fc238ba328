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
#include "reduce.cuh"

namespace qslaw::device {

inline constexpr int kOctet = 8;
inline constexpr int kMaxRangeLaneShift = 5;  // a group's range is found by at most a warp

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

// 2^lane_shift neighboring threads per group, each with every 2^lane_shift-th octet of it. Bytes moved per
// weight: sizeof(Source) read; per group 8 written.
template <typename Source>
__global__ void group_range_kernel(const Source* weight, Octets octets, int lane_shift, float* high,
                                   float* low) {
  const int64_t group = global_thread() >> lane_shift;
  const int lanes = 1 << lane_shift, lane = static_cast<int>(threadIdx.x) & (lanes - 1);
  const bool active = group < octets.count >> octets.shift;  // idle threads still take part in the shuffles
  float largest = -INFINITY, smallest = INFINITY;
  if (active) {
    const int64_t begin = group << octets.shift, end = (group + 1) << octets.shift;
    for (int64_t octet = begin + lane; octet < end; octet += lanes) {
      const Values<Source, kOctet> w = load<kOctet>(weight, octet);
      QSLAW_UNROLL
      for (int i = 0; i < kOctet; ++i) {
        largest = Larger{}(largest, widen(w.values[i]));
        smallest = Smaller{}(smallest, widen(w.values[i]));
      }
    }
  }
  largest = warp_reduce(largest, Larger{}, lanes);
  smallest = warp_reduce(smallest, Smaller{}, lanes);
  if (!active || lane > 0) return;
  high[group] = positive_zero(largest);
  low[group] = positive_zero(smallest);
}

// One thread per group. Bytes moved per group: 8 read, 6 written. (A template, so that several files may hold
// it.)
template <typename T>
__global__ void group_grid_kernel(const T* high, const T* low, int64_t count, float top, T* scale,
                                  int16_t* zero) {
  const int64_t i = global_thread();
  if (i >= count) return;
  const float step = group_scale(low[i], high[i], top);
  scale[i] = step;
  zero[i] = static_cast<int16_t>(group_zero(low[i], step));
}

// Kernels that quantize divide each weight, as the CPU does: some nine instructions. By an H100's 2 * 10^13
// instructions and 3 * 10^12 bytes a second (nothing was measured), 27 per weight fit beside the bytes of
// fake_quantize_kernel and 40 beside gamma_gradient_kernel's, which so wait for memory; the 17 of
// quantize_packed_kernel may be too few, but it runs once per model. The same bits from a reciprocal take
// two corrections by fused multiply-adds, bounds outside of which they are wrong, and the division for those:
// too little is saved.

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

// Two threads per group: the even octets and the odd ones. Each so holds eight of the CPU's 16 partial sums
// and adds to them in the CPU's order; they are then joined by halves, as there. Bytes moved per weight:
// sizeof(Source) + 4 read; per group 10 read, 4 written.
template <typename Source>
__global__ void gamma_gradient_kernel(const Source* weight, CudaGrid grid, const float* gradient,
                                      Octets octets, float top, float* out) {
  const int64_t index = global_thread() / 2;
  const int odd = static_cast<int>(threadIdx.x) % 2;
  const bool active = index < octets.count >> octets.shift;  // idle threads still take part in the shuffles
  const Group group = active ? read_group(grid, index) : Group{1.0F, 1.0F, 0.0F, 1.0F};
  float sums[kOctet] = {};
  if (active) {
    for (int64_t octet = (index << octets.shift) + odd; octet < (index + 1) << octets.shift; octet += 2) {
      const Values<Source, kOctet> w = load<kOctet>(weight, octet);
      const Values<float, kOctet> d = load<kOctet>(gradient, octet);
      QSLAW_UNROLL
      for (int i = 0; i < kOctet; ++i) {
        const float value = widen(w.values[i]);
        sums[i] += gamma_term(value, grid_position(value, group.step, group.zero), top, d.values[i]);
      }
    }
  }
  QSLAW_UNROLL
  for (int i = 0; i < kOctet; ++i)
    sums[i] += __shfl_xor_sync(0xFFFFFFFFU, sums[i], 1);
  QSLAW_UNROLL
  for (int width = kOctet / 2; width > 0; width /= 2) {
    QSLAW_UNROLL
    for (int i = 0; i < width; ++i)
      sums[i] += sums[i + width];
  }
  if (active && odd == 0) out[index] = -sums[0] / (group.gamma * group.gamma);
}

// One thread per octet, the table in shared memory. Bytes moved per weight: bits/8 read, sizeof(Target)
// written; per group 1 read, and 4 per 256 groups; from the cache the table, 4 * 2^bits, once per block of
// 2048 weights, and the absmax' map.
template <int kBits, typename Target>
__global__ void dequantize_table_kernel(const uint8_t* codes, AbsmaxView absmax, const float* table,
                                        Octets octets, Target* out) {
  QSLAW_SHARED(float, levels, [1 << kBits]);
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
