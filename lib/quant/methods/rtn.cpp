#include <ATen/ATen.h>

#include "quant/methods/methods.h"

namespace qslaw {

nlohmann::json quantize_rtn(const QuantizeTask& task, const PackedSink& sink) {
  return quantize_each(task, sink, [&](const LinearSpec&, const at::Tensor& weight_NK) {
    PackedWeight packed;
    packed.bits = task.options.bits;
    packed.group_size = task.options.group_size;
    packed.grid = grid_from_range(group_range(weight_NK, packed.group_size), packed.bits);
    packed.codes = quantize_packed(weight_NK, packed.grid, {}, packed.bits);
    return packed;
  });
}

}  // namespace qslaw
