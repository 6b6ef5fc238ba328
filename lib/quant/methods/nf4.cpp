#include <ATen/ATen.h>

#include "quant/methods/methods.h"
#include "quant/normal_float.h"

namespace qslaw {

nlohmann::json quantize_nf4(const QuantizeTask& task, const PackedSink& sink) {
  return quantize_each(task, sink, [&](const LinearSpec&, const at::Tensor& weight_NK) {
    const NormalFloatCodes codes = normal_float_quantize(weight_NK, task.options.bits);
    PackedWeight packed;
    packed.kind = CodeKind::normal_float;
    packed.bits = task.options.bits;
    packed.group_size = kNormalFloatBlock;
    packed.codes = codes.codes.cpu();
    packed.absmax = quantize_absmax(codes.absmax.cpu());
    packed.table = normal_float_table(packed.bits);
    return packed;
  });
}

}  // namespace qslaw
