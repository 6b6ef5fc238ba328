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

Html block_figure(const json& blocks) {
  LineChart chart;
  chart.description = "Error of each block's output before and after clipping was learned";
  chart.x_title = "layer";
  chart.y_title = "mean squared error of the block's output";
  chart.smooth = false;
  chart.last_values = false;
  chart.series = {{"before learning", {}, 8, 1}, {"after", {}, 1, 0}};
  for (const json& block : blocks) {
    const auto layer = number_at(block, "layer");
    if (!layer) continue;
    chart.series[0].points.push_back({*layer, number_at(block, "loss_before").value_or(std::nan(""))});
    chart.series[1].points.push_back({*layer, number_at(block, "loss_after").value_or(std::nan(""))});
  }
  return html_figure("What learning the clipping gained", line_chart(chart));
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
    facts.emplace_back("ratio", format_short(*dense / *packed) + "\xC3\x97 smaller");
  }
  if (const json& layers = member_at(results, "layers"); layers.is_array()) {
    facts.emplace_back("linear layers", format_count(static_cast<int64_t>(layers.size())));
  }
  return html_panel("", html_facts(facts));
}

LayerBox gamma_box(const json& layer) {
  const auto value = [&](const char* key) { return number_at(layer, key).value_or(std::nan("")); };
  const auto index = number_at(layer, "layer");
  return {index ? format_short(*index) : "?",
          value("min"),
          value("p05"),
          value("median"),
          value("p95"),
          value("max")};
}

// The histograms of all layers, added up over common bins: each count is spread evenly over its own bin.
std::vector<ChartPoint> total_histogram(const json& gamma) {
  constexpr size_t kBins = 80;
  ValueRange range;
  for (const json& layer : gamma) {
    const json& histogram = member_at(layer, "histogram");
    for (const char* key : {"low", "high"})
      range.include(number_at(histogram, key).value_or(std::nan("")));
  }
  if (range.empty || range.high <= range.low) return {};
  std::vector<double> shares(kBins, 0.0);
  const double width = (range.high - range.low) / kBins;
  double total = 0;
  for (const json& layer : gamma) {
    const json& histogram = member_at(layer, "histogram");
    const json& counts = member_at(histogram, "counts");
    const auto low = number_at(histogram, "low"), high = number_at(histogram, "high");
    if (!counts.is_array() || counts.empty() || !low || !high || *high <= *low) continue;
    const double own_width = (*high - *low) / static_cast<double>(counts.size());
    for (size_t i = 0; i < counts.size(); ++i) {
      if (!counts[i].is_number()) continue;
      const double from = *low + static_cast<double>(i) * own_width, count = counts[i].get<double>();
      total += count;
      for (size_t b = 0; b < kBins; ++b) {
        const double left = range.low + static_cast<double>(b) * width;
        const double overlap = std::min(from + own_width, left + width) - std::max(from, left);
        if (overlap > 0) shares[b] += count * overlap / own_width;
      }
    }
  }
  std::vector<ChartPoint> points;
  for (size_t b = 0; b < kBins; ++b) {
    points.push_back(
        {range.low + (static_cast<double>(b) + 0.5) * width, total > 0 ? 100 * shares[b] / total : 0});
  }
  return points;
}

Html histogram_figure(std::vector<ChartPoint> points) {
  LineChart chart;
  chart.description = "Distribution of gamma over all layers";
  chart.x_title = "gamma";
  chart.y_title = "percent of all groups";
  chart.whole_x = false;
  chart.smooth = false;
  chart.last_values = false;
  chart.y_axis = ValueAxis::kLinear;
  chart.marks = {{1.0, "start"}};
  chart.series = {{"all layers", std::move(points), 1, 0}};
  return html_figure("Gamma over all layers", line_chart(chart));
}

}  // namespace

OptionalSection quantization_section(const RunFolder& run) {
  const json& results = stage_results(run, "quantize");
  if (!results.is_object()) return std::nullopt;
  Html body = quantize_facts(run, results);
  std::vector<Html> figures;
  const auto errors = linear_errors(results);
  if (!errors.empty()) {
    figures.push_back(error_map(errors));
    figures.push_back(
        html_figure("Relative error by kind of linear layer", html_table(kind_error_table("", errors))));
  }
  const json& blocks = member_at(results, "blocks");
  if (blocks.is_array() && !blocks.empty()) figures.push_back(block_figure(blocks));
  body += html_figures(figures);
  return PageSection{"quantization", "Quantization", "", body};
}

OptionalSection gamma_section(const RunFolder& run) {
  const json& gamma = member_at(stage_results(run, "warmup"), "gamma");
  if (!gamma.is_array() || gamma.empty()) return std::nullopt;
  BoxChart chart;
  chart.description = "Distribution of gamma in each layer";
  chart.x_title = "layer";
  chart.y_title = "gamma";
  chart.quantiles = "5 % to 95 %";
  chart.reference = 1.0;
  for (const json& layer : gamma)
    chart.boxes.push_back(gamma_box(layer));
  std::vector<Html> figures = {
      html_figure("Gamma by layer", box_chart(chart),
                  "Line: lowest to highest; box: 5 % to 95 %; tick: median; dashed: where gamma began.")};
  auto histogram = total_histogram(gamma);
  if (!histogram.empty()) figures.push_back(histogram_figure(std::move(histogram)));
  return PageSection{"gamma", "Gamma", "One learned number per group of weights, which moves their codes.",
                     html_figures(figures)};
}

}  // namespace qslaw
