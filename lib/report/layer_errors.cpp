#include "report/layer_errors.h"

#include <algorithm>
#include <cctype>

#include "report/number_text.h"

namespace qslaw {
namespace {

using nlohmann::json;

constexpr int kDecimals = 5;

std::optional<int64_t> layer_of(const std::string& name) {
  const std::string key = "layers.";
  const size_t at = name.find(key);
  if (at == std::string::npos) return std::nullopt;
  size_t end = at + key.size();
  while (end < name.size() && end < at + key.size() + 9 &&
         std::isdigit(static_cast<unsigned char>(name[end])))
    ++end;
  if (end == at + key.size()) return std::nullopt;
  return std::stoll(name.substr(at + key.size(), end - at - key.size()));
}

std::vector<TableCell> kind_row(const std::string& kind, const std::vector<LinearError>& errors) {
  double sum = 0;
  int64_t count = 0;
  const LinearError* worst = nullptr;
  std::optional<double> largest;
  for (const LinearError& error : errors) {
    if (error.kind != kind) continue;
    sum += error.relative_error;
    ++count;
    if (!worst || error.relative_error > worst->relative_error) worst = &error;
    if (error.max_error) largest = std::max(largest.value_or(*error.max_error), *error.max_error);
  }
  return {cell(kind),
          count_cell(count),
          cell(sum / static_cast<double>(count), kDecimals),
          cell(worst->relative_error, kDecimals),
          count_cell(worst->layer),
          largest ? cell(*largest, kDecimals) : empty_cell()};
}

}  // namespace

std::vector<LinearError> linear_errors(const json& results) {
  std::vector<LinearError> errors;
  const json& layers = member_at(results, "layers");
  if (!layers.is_array()) return errors;
  for (const json& layer : layers) {
    const std::string name = text_at(layer, "name");
    const auto number = layer_of(name);
    const auto error = number_at(layer, "relative_error");
    if (number && error)
      errors.push_back({*number, name.substr(name.rfind('.') + 1), *error, number_at(layer, "max_error")});
  }
  return errors;
}

std::vector<std::string> linear_kinds(const std::vector<LinearError>& errors) {
  std::vector<std::string> kinds;
  for (const LinearError& error : errors) {
    if (std::find(kinds.begin(), kinds.end(), error.kind) == kinds.end()) kinds.push_back(error.kind);
  }
  const std::vector<std::string> order = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                          "gate_proj", "up_proj", "down_proj"};
  const auto rank = [&](const std::string& kind) {
    return std::find(order.begin(), order.end(), kind) - order.begin();
  };
  std::stable_sort(kinds.begin(), kinds.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return kinds;
}

Table kind_error_table(const std::string& title, const std::vector<LinearError>& errors) {
  Table table{title, {"linear", "layers", "mean error", "largest", "in layer", "largest absolute"}, {}};
  for (const std::string& kind : linear_kinds(errors))
    table.add_row(kind_row(kind, errors));
  return table;
}

}  // namespace qslaw
