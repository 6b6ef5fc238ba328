// Instances of group-wise quantization for the GPU.
#include "group_quant_launch.cuh"
#include "level_codes.cuh"

#include "entries.h"

namespace qslaw::device {

void enter_group_quant(CudaKernels& table) {
  table.quantize_packed = quantize_packed;
  table.dequantize_packed = dequantize_packed;
  table.fake_quantize = fake_quantize;
  table.gamma_gradient = gamma_gradient;
  table.dequantize_table = dequantize_table;
  table.group_range = group_range;
  table.group_grid = group_grid;
  table.level_codes = level_codes;
}

}  // namespace qslaw::device
