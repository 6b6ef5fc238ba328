// What quantization cost each linear, from the `layers` of the quantize stage's results.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "report/table.h"

namespace qslaw {

/// "model.layers.12.self_attn.q_proj" is layer 12, kind q_proj.
struct LinearError {
  int64_t layer = 0;
  std::string kind;
  double relative_error = 0;
  std::optional<double> max_error;  // the largest difference of a weight
};

/// Those of `results` with a layer and a relative error, in their order.
std::vector<LinearError> linear_errors(const nlohmann::json& results);

/// The kinds in the order of the computation, unknown ones behind.
std::vector<std::string> linear_kinds(const std::vector<LinearError>& errors);

/// One row per kind, because a model has hundreds of linears but seven kinds: relative errors, where the
/// largest is, and the largest absolute error.
Table kind_error_table(const std::string& title, const std::vector<LinearError>& errors);

}  // namespace qslaw
