// Group-wise quantization's entries in CudaKernels: each picks an instance and a grid.
#pragma once
#include <algorithm>

#include "dispatch.cuh"
#include "group_quant_kernels.cuh"

namespace qslaw::device {

inline Octets octets_of(const CudaShape& shape) {
  Octets octets{shape.rows * shape.columns / kOctet, 0};
  while ((int64_t{kOctet} << octets.shift) < shape.group_size)
    ++octets.shift;
  return octets;
}

inline float top_of(const CudaShape& shape) {
  return static_cast<float>((1 << shape.bits) - 1);
}

inline const char* group_range(CudaInput weight, CudaShape shape, float* high, float* low, void* stream) {
  const Octets octets = octets_of(shape);
  const int lane_shift = std::min(octets.shift, kMaxRangeLaneShift);
  const int64_t groups = octets.count >> octets.shift;
  return with_type(weight, [&](auto* w) {
    using Source = ElementOf<decltype(w)>;
    return launch(group_range_kernel<Source>, blocks_for(groups << lane_shift), kThreads, stream, w, octets,
                  lane_shift, high, low);
  });
}

inline const char* group_grid(const float* high, const float* low, int64_t count, int32_t bits, float* scale,
                              int16_t* zero, void* stream) {
  const auto top = static_cast<float>((1 << bits) - 1);
  return launch(group_grid_kernel<float>, blocks_for(count), kThreads, stream, high, low, count, top, scale,
                zero);
}

inline const char* quantize_packed(CudaInput weight, CudaGrid grid, CudaShape shape, uint8_t* codes,
                                   void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(weight, [&](auto* w) {
    return with_bits(shape, [&](auto bits) {
      using Source = ElementOf<decltype(w)>;
      return launch(quantize_packed_kernel<Source, decltype(bits)::value>, blocks_for(octets.count), kThreads,
                    stream, w, grid, octets, codes);
    });
  });
}

inline const char* dequantize_packed(const uint8_t* codes, CudaGrid grid, CudaShape shape, CudaOutput out,
                                     void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(out, [&](auto* w) {
    return with_bits(shape, [&](auto bits) {
      using Target = ElementOf<decltype(w)>;
      return launch(dequantize_packed_kernel<decltype(bits)::value, Target>, blocks_for(octets.count),
                    kThreads, stream, codes, grid, octets, w);
    });
  });
}

inline const char* fake_quantize(CudaInput weight, CudaGrid grid, CudaShape shape, CudaOutput out,
                                 void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(weight, [&](auto* source) {
    return with_type(out, [&](auto* target) {
      using Source = ElementOf<decltype(source)>;
      using Target = ElementOf<decltype(target)>;
      return launch(fake_quantize_kernel<Source, Target>, blocks_for(octets.count), kThreads, stream, source,
                    grid, octets, top_of(shape), target);
    });
  });
}

inline const char* gamma_gradient(CudaInput weight, CudaGrid grid, const float* gradient, CudaShape shape,
                                  float* out, void* stream) {
  const Octets octets = octets_of(shape);
  const int64_t groups = octets.count >> octets.shift;
  return with_type(weight, [&](auto* w) {
    using Source = ElementOf<decltype(w)>;
    return launch(gamma_gradient_kernel<Source>, blocks_for(2 * groups), kThreads, stream, w, grid, gradient,
                  octets, top_of(shape), out);
  });
}

inline const char* dequantize_table(const uint8_t* codes, AbsmaxView absmax, const float* table,
                                    CudaShape shape, CudaOutput out, void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(out, [&](auto* w) {
    return with_bits(shape, [&](auto bits) {
      using Target = ElementOf<decltype(w)>;
      return launch(dequantize_table_kernel<decltype(bits)::value, Target>, blocks_for(octets.count),
                    kThreads, stream, codes, absmax, table, octets, w);
    });
  });
}

}  // namespace qslaw::device
