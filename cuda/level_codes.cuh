// Codes of the nearest levels (lib/kernels/level_codes.h), by quant_math.h's arithmetic: the CPU's bits.
#pragma once
#include "group_quant_launch.cuh"

namespace qslaw::device {

/// The number of boundaries that a value is not below: all of them for NaN. A binary search, because every
/// boundary looked at is a read of shared memory and two instructions more: kBits of them instead of 15 at 4
/// bits, where each has a bank to itself.
template <int kBits>
__device__ __forceinline__ int level_code(float value, const float* midpoints) {
  int code = 0;
  QSLAW_UNROLL
  for (int step = 1 << (kBits - 1); step > 0; step /= 2)
    code += step * passes_midpoint(value, midpoints[code + step - 1]);
  return code;
}

// One thread per octet (group_quant_kernels.cuh); the threads of a block of values are neighbors and share
// its absmax. Boundaries lie in shared memory. Bytes moved per value: sizeof(Source) read, bits/8 written;
// per block 4 written.
template <typename Source, int kBits>
__global__ void level_codes_kernel(const Source* values, const float* levels, Octets octets, uint8_t* codes,
                                   float* absmax) {
  constexpr int kMidpoints = (1 << kBits) - 1;
  QSLAW_SHARED(float, midpoints, [(1 << kBits) - 1]);
  for (int i = static_cast<int>(threadIdx.x); i < kMidpoints; i += static_cast<int>(blockDim.x))
    midpoints[i] = level_midpoint(levels[i], levels[i + 1]);
  __syncthreads();
  const int64_t octet = global_thread();
  const bool active = octet < octets.count;  // idle threads still take part in the shuffles
  Values<Source, kOctet> v{};
  float largest = 0.0F;
  if (active) {
    v = load<kOctet>(values, octet);
    QSLAW_UNROLL
    for (int i = 0; i < kOctet; ++i)
      largest = Larger{}(largest, fabsf(widen(v.values[i])));
  }
  largest = warp_reduce(largest, Larger{}, 1 << octets.shift);
  if (!active) return;
  const float factor = level_factor(largest);
  CodeWord<kBits> word = 0;
  QSLAW_UNROLL
  for (int i = 0; i < kOctet; ++i) {
    const int code = level_code<kBits>(widen(v.values[i]) * factor, midpoints);
    word |= static_cast<CodeWord<kBits>>(code) << (i * kBits);
  }
  store_codes<kBits>(codes, octet, word);
  if (octet % (int64_t{1} << octets.shift) == 0) absmax[octet >> octets.shift] = largest;
}

inline const char* level_codes(CudaInput values, const float* levels, CudaShape shape, uint8_t* codes,
                               float* absmax, void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(values, [&](auto* from) {
    return with_bits(shape, [&](auto bits) {
      using Source = ElementOf<decltype(from)>;
      return launch(level_codes_kernel<Source, decltype(bits)::value>, blocks_for(octets.count), kThreads,
                    stream, from, levels, octets, codes, absmax);
    });
  });
}

}  // namespace qslaw::device
