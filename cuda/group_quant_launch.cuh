// The kernels' entries in CudaKernels: each picks an instance and a grid. Whoever includes this declares
// first, in this namespace, `const char* launch(kernel, int64_t blocks, int threads, void* stream,
// arguments...)`.
#pragma once
#include "group_quant_kernels.cuh"

namespace qslaw::device {

inline constexpr int kThreads = 256;

inline int64_t blocks_for(int64_t threads) {
  return (threads + kThreads - 1) / kThreads;
}

inline Octets octets_of(const CudaShape& shape) {
  Octets octets{shape.rows * shape.columns / kOctet, 0};
  while ((int64_t{kOctet} << octets.shift) < shape.group_size)
    ++octets.shift;
  return octets;
}

inline float top_of(const CudaShape& shape) {
  return static_cast<float>((1 << shape.bits) - 1);
}

/// fn(pointer to the element type).
template <typename Fn>
const char* with_type(const CudaInput& weight, Fn fn) {
  switch (weight.type) {
    case CudaType::kFloat32:
      return fn(static_cast<const float*>(weight.data));
    case CudaType::kBFloat16:
      return fn(static_cast<const __nv_bfloat16*>(weight.data));
    case CudaType::kFloat16:
      return fn(static_cast<const __half*>(weight.data));
  }
  return "unknown element type";
}

template <typename Fn>
const char* with_type(const CudaOutput& weight, Fn fn) {
  return with_type(CudaInput{weight.data, weight.type}, [&](auto* data) {
    return fn(const_cast<std::remove_const_t<std::remove_pointer_t<decltype(data)>>*>(data));
  });
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

inline const char* quantize_packed(CudaInput weight, CudaGrid grid, CudaShape shape, uint8_t* codes,
                                   void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(weight, [&](auto* w) {
    return with_bits(shape, [&](auto bits) {
      using Source = std::remove_const_t<std::remove_pointer_t<decltype(w)>>;
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
      using Target = std::remove_pointer_t<decltype(w)>;
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
      using Source = std::remove_const_t<std::remove_pointer_t<decltype(source)>>;
      using Target = std::remove_pointer_t<decltype(target)>;
      return launch(fake_quantize_kernel<Source, Target>, blocks_for(octets.count), kThreads, stream, source,
                    grid, octets, top_of(shape), target);
    });
  });
}

inline const char* gamma_gradient(CudaInput weight, CudaGrid grid, const float* gradient, CudaShape shape,
                                  float* out, void* stream) {
  const int64_t groups = shape.rows * (shape.columns / shape.group_size);
  return with_type(weight, [&](auto* w) {
    using Source = std::remove_const_t<std::remove_pointer_t<decltype(w)>>;
    return launch(gamma_gradient_kernel<Source>, blocks_for(groups * kLanes), kThreads, stream, w, grid,
                  gradient, groups, shape.group_size, top_of(shape), out);
  });
}

inline const char* dequantize_table(const uint8_t* codes, const float* absmax, const float* table,
                                    CudaShape shape, CudaOutput out, void* stream) {
  const Octets octets = octets_of(shape);
  return with_type(out, [&](auto* w) {
    return with_bits(shape, [&](auto bits) {
      using Target = std::remove_pointer_t<decltype(w)>;
      return launch(dequantize_table_kernel<decltype(bits)::value, Target>, blocks_for(octets.count),
                    kThreads, stream, codes, absmax, table, octets, w);
    });
  });
}

}  // namespace qslaw::device
