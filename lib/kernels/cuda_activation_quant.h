// Quantization of activations on CUDA: what activation_quant.h dispatches to.
#pragma once
#include "kernels/activation_quant.h"
#include "kernels/cuda_abi.h"

namespace qslaw {

ActivationRange cuda_activation_range(const at::Tensor& x_MK, ActivationAxis axis);
/// Of contiguous ranges.
ActivationGrid cuda_activation_grid(const ActivationRange& range, const ActivationFormat& format);
/// `grid`: constants that lie beside the tensor and fit its shape.
at::Tensor cuda_quantize_activation(const at::Tensor& x_MK, const CudaActivationGrid& grid);
at::Tensor cuda_dequantize_activation(const at::Tensor& codes_MK, const CudaActivationGrid& grid,
                                      at::ScalarType dtype);
at::Tensor cuda_fake_quantize_activation(const at::Tensor& x_MK, const CudaActivationGrid& grid);

}  // namespace qslaw
