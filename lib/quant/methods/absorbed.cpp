#include <ATen/ATen.h>

#include "core/log.h"
#include "core/text.h"
#include "quant/absorbed_grid.h"
#include "quant/methods/methods.h"

namespace qslaw {

nlohmann::json quantize_absorbed(const QuantizeTask& task, const PackedSink& sink) {
  std::vector<int64_t> choices;
  int64_t groups = 0, with_choice = 0;
  nlohmann::json report = quantize_each(task, sink, [&](const LinearSpec& spec, const at::Tensor& weight_NK) {
    PackedWeight packed;
    packed.bits = task.options.bits;
    packed.group_size = task.options.group_size;
    const AbsorbedGrid found = absorbed_grid(spec.name, weight_NK, packed.bits, packed.group_size);
    packed.grid = {found.grid.scale.to(weight_NK.device()), found.grid.zero.to(weight_NK.device())};
    packed.codes = quantize_packed(weight_NK, packed.grid, {}, packed.bits);
    choices.push_back(found.groups_with_choice);
    with_choice += found.groups_with_choice;
    groups += found.grid.scale.numel();
    return packed;
  });
  for (size_t i = 0; i < choices.size(); ++i)
    report["layers"][i]["groups_with_choice"] = choices[i];
  log_info(concat("quantize: ", with_choice, " of ", groups,
                  " groups lie on several grids, all of which give the same weights"));
  return report;
}

}  // namespace qslaw
