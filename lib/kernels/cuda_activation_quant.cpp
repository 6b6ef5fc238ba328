#include "kernels/cuda_activation_quant.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/cuda_call.h"

namespace qslaw {
namespace {

// Rows of which a thread takes its columns, so that few columns still keep the device busy.
constexpr int64_t kSlabRows = 64;

CudaRows rows_of(const at::Tensor& x_MK) {
  return {x_MK.size(0), x_MK.size(1)};
}

ActivationRange channel_range(const at::Tensor& x_MK) {
  const int64_t M = x_MK.size(0), K = x_MK.size(1), slabs = (M + kSlabRows - 1) / kSlabRows;
  const auto options = x_MK.options().dtype(at::kFloat);
  at::Tensor parts = at::empty({2, slabs, K}, options), range = at::empty({2, 1, K}, options);
  float* part = parts.data_ptr<float>();
  float* out = range.data_ptr<float>();
  cuda_call(x_MK, "activation_column_range", [&](const CudaKernels& kernels, void* stream) {
    return kernels.activation_column_range(cuda_input(x_MK), rows_of(x_MK), kSlabRows, part, part + slabs * K,
                                           out, out + K, stream);
  });
  return {range[0], range[1]};
}

ActivationRange token_range(const at::Tensor& x_MK) {
  const auto options = x_MK.options().dtype(at::kFloat);
  ActivationRange range{at::empty({x_MK.size(0), 1}, options), at::empty({x_MK.size(0), 1}, options)};
  cuda_call(x_MK, "activation_row_range", [&](const CudaKernels& kernels, void* stream) {
    return kernels.activation_row_range(cuda_input(x_MK), rows_of(x_MK), range.high.data_ptr<float>(),
                                        range.low.data_ptr<float>(), stream);
  });
  return range;
}

ActivationRange tensor_range(const at::Tensor& x_MK) {
  const auto options = x_MK.options().dtype(at::kFloat);
  at::Tensor rows = at::empty({2, x_MK.size(0)}, options), range = at::empty({2, 1, 1}, options);
  float* row = rows.data_ptr<float>();
  float* out = range.data_ptr<float>();
  cuda_call(x_MK, "activation_tensor_range", [&](const CudaKernels& kernels, void* stream) {
    return kernels.activation_tensor_range(cuda_input(x_MK), rows_of(x_MK), row, row + x_MK.size(0), out,
                                           out + 1, stream);
  });
  return {range[0], range[1]};
}

}  // namespace

ActivationRange cuda_activation_range(const at::Tensor& x_MK, ActivationAxis axis) {
  if (axis == ActivationAxis::tensor) return tensor_range(x_MK);
  return axis == ActivationAxis::token ? token_range(x_MK) : channel_range(x_MK);
}

ActivationGrid cuda_activation_grid(const ActivationRange& range, const ActivationFormat& format) {
  ActivationGrid grid{at::empty_like(range.high), at::empty_like(range.high)};
  cuda_call(range.high, "activation_grid", [&](const CudaKernels& kernels, void* stream) {
    return kernels.activation_grid(range.high.const_data_ptr<float>(), range.low.const_data_ptr<float>(),
                                   range.high.numel(), format.bits, format.symmetric,
                                   grid.scale.data_ptr<float>(), grid.zero.data_ptr<float>(), stream);
  });
  return grid;
}

at::Tensor cuda_quantize_activation(const at::Tensor& x_MK, const CudaActivationGrid& grid) {
  at::Tensor codes = at::empty(x_MK.sizes(), x_MK.options().dtype(at::kChar));
  cuda_call(x_MK, "quantize_activation", [&](const CudaKernels& kernels, void* stream) {
    return kernels.quantize_activation(cuda_input(x_MK), grid, rows_of(x_MK), codes.data_ptr<int8_t>(),
                                       stream);
  });
  return codes;
}

at::Tensor cuda_dequantize_activation(const at::Tensor& codes_MK, const CudaActivationGrid& grid,
                                      at::ScalarType dtype) {
  at::Tensor out = at::empty(codes_MK.sizes(), codes_MK.options().dtype(dtype));
  cuda_call(codes_MK, "dequantize_activation", [&](const CudaKernels& kernels, void* stream) {
    return kernels.dequantize_activation(codes_MK.const_data_ptr<int8_t>(), grid, rows_of(codes_MK),
                                         cuda_output(out), stream);
  });
  return out;
}

at::Tensor cuda_fake_quantize_activation(const at::Tensor& x_MK, const CudaActivationGrid& grid) {
  at::Tensor out = at::empty(x_MK.sizes(), x_MK.options());
  cuda_call(x_MK, "fake_quantize_activation", [&](const CudaKernels& kernels, void* stream) {
    return kernels.fake_quantize_activation(cuda_input(x_MK), grid, rows_of(x_MK), cuda_output(out), stream);
  });
  return out;
}

}  // namespace qslaw
