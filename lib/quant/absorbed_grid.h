// The grid of weights that were quantized, multiplied out and stored in 16 bits.
#pragma once
#include <string>

#include "kernels/group_quant.h"

namespace qslaw {

struct AbsorbedGrid {
  GroupGrid grid;              // on the CPU
  int64_t groups_with_choice;  // whose weights other grids give as well
};

/// The grid that every group's weights lie on: quantized by it, dequantized and rounded as they were, each
/// weight is what it was (find_lattice; where that was by way of another 16-bit type, dequantizing to the
/// file's type alone may give the number beside). weight_NK: bfloat16 or float16, rounded at once or from
/// float16 to bfloat16 or the other way round; or float32 that holds such numbers. bits: 2 to 4. UserError
/// that says `name`, row and columns of the first group that lies on no grid.
AbsorbedGrid absorbed_grid(const std::string& name, const at::Tensor& weight_NK, int bits,
                           int64_t group_size);

}  // namespace qslaw
