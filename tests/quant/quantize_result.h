// What a method makes, gathered.
#pragma once
#include "quant/quantize.h"

namespace qslaw {

struct QuantizeResult {
  PackedLanguage language;
  nlohmann::json report;
};

inline QuantizeResult quantize_all(const QuantizeTask& task) {
  QuantizeResult result{{task.options.method, task.options.bits, task.options.group_size, {}}, {}};
  result.report = quantize_language(task, [&](const std::string& name, const PackedWeight& weight) {
    result.language.weights[name] = std::make_shared<PackedWeight>(weight);
  });
  return result;
}

}  // namespace qslaw
