#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.h"
#include "report/chart_scale.h"
#include "report/layer_errors.h"
#include "report/number_text.h"
#include "report/run_sections.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

using nlohmann::json;

Html error_map(const std::vector<LinearError>& errors) {
  HeatChart chart;
  chart.description = "Relative quantization error of every linear layer";
  chart.x_title = "layer";
  chart.rows = linear_kinds(errors);
  std::map<int64_t, size_t> columns;
  for (const LinearError& error : errors)
    columns[error.layer] = 0;
  for (auto& [layer, column] : columns) {
    column = chart.columns.size();
    chart.columns.push_back(std::to_string(layer));
  }
  chart.values.assign(chart.rows.size(), std::vector<double>(chart.columns.size(), std::nan("")));
  for (const LinearError& error : errors) {
    const auto row = std::find(chart.rows.begin(), chart.rows.end(), error.kind) - chart.rows.begin();
    chart.values[static_cast<size_t>(row)][columns[error.layer]] = error.relative_error;
  }
  return html_figure(
      "Relative error of each linear layer", heat_chart(chart),
      "|W \xE2\x88\x92 \xC5\xB4| / |W|, Frobenius norms; \xC5\xB4 is what the codes stand for.");
}

// Errors before and after lie within a few percent of each other and grow tenfold from the first block to
// the last: two curves of them would coincide.
Html gain_figure(const json& blocks) {
  LineChart chart;
  chart.description = "By how much learning the clipping lowered the error of each block's output";
  chart.x_title = "layer";
  chart.y_title = "percent less error of the block's output";
  chart.smooth = false;
  chart.last_values = false;
  chart.from_zero = true;
  chart.series = {{"less error", {}, 1, 0}};
  double sum_before = 0, sum_after = 0;
  for (const json& block : blocks) {
    const auto layer = number_at(block, "layer");
    if (!layer) continue;
    const auto before = number_at(block, "loss_before"), after = number_at(block, "loss_after");
    const bool measured = before && after && *before > 0;
    chart.series[0].points.push_back({*layer, measured ? 100 * (1 - *after / *before) : std::nan("")});
    sum_before += measured ? *before : 0;
    sum_after += measured ? *after : 0;
  }
  const std::string caption =
      sum_before > 0
          ? concat(
                "Mean squared error of the blocks' outputs, all blocks together: ", format_short(sum_before),
                " before learning, ", format_short(sum_after), " after. Below 0: more error than before.")
          : "";
  return html_figure("What learning the clipping gained", line_chart(chart), caption);
}

void add_size(const json& results, const char* key, const char* name,
              std::vector<std::pair<std::string, std::string>>& facts) {
  if (const auto bytes = number_at(results, key)) facts.emplace_back(name, format_size(*bytes));
}

Html quantize_facts(const RunFolder& run, const json& results) {
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back("method", text_at(results, "method", kNoValue));
  facts.emplace_back("bits", headline(run).bits);
  if (const auto group = number_at(results, "group_size"))
    facts.emplace_back("group size", format_short(*group));
  add_size(results, "packed_bytes", "packed", facts);
  add_size(results, "dense_bytes", "in 16 bits", facts);
  const auto packed = number_at(results, "packed_bytes"), dense = number_at(results, "dense_bytes");
  if (packed && dense && *packed > 0) {
    facts.emplace_back("ratio", format_decimals(*dense / *packed, 2) + "\xC3\x97");
  }
  if (const json& layers = member_at(results, "layers"); layers.is_array()) {
    facts.emplace_back("linear layers", format_count(static_cast<int64_t>(layers.size())));
  }
  return html_panel("", html_facts(facts));
}

}  // namespace

OptionalSection quantization_section(const RunFolder& run) {
  const json& results = stage_results(run, "quantize");
  if (!results.is_object()) return std::nullopt;
  Html body = quantize_facts(run, results);
  const auto errors = linear_errors(results);
  std::vector<Html> figures = {error_map(errors)};
  const json& blocks = member_at(results, "blocks");
  if (blocks.is_array()) figures.push_back(gain_figure(blocks));
  body += html_figures(figures);
  body += html_panel("Relative error by kind of linear layer", html_table(kind_error_table("", errors)));
  return PageSection{"quantization", "Quantization", "", body};
}

}  // namespace qslaw
