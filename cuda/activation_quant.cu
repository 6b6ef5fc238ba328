// Instances of quantization of activations for the GPU.
#include "activation_quant.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_activation_quant(CudaKernels& table) {
  table.activation_row_range = activation_row_range;
  table.activation_column_range = activation_column_range;
  table.activation_grid = activation_grid;
  table.quantize_activation = quantize_activation;
  table.fake_quantize_activation = fake_quantize_activation;
  table.dequantize_activation = dequantize_activation;
  table.activation_tensor_range = activation_tensor_range;
}

}  // namespace qslaw::device
