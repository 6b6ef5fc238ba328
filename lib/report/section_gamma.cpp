#include <algorithm>
#include <cmath>

#include "report/chart_scale.h"
#include "report/number_text.h"
#include "report/run_sections.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

using nlohmann::json;

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

// A count spread evenly from `begin` to `end`, added to equal bins of the range.
void add_spread(double begin, double end, double count, const ValueRange& range, std::vector<double>& bins) {
  const double width = (range.high - range.low) / static_cast<double>(bins.size());
  for (size_t b = 0; b < bins.size(); ++b) {
    const double left = range.low + static_cast<double>(b) * width;
    const double overlap = std::min(end, left + width) - std::max(begin, left);
    if (overlap > 0) bins[b] += count * overlap / (end - begin);
  }
}

// Returns the sum of the histogram's counts.
double add_histogram(const json& histogram, const ValueRange& range, std::vector<double>& bins) {
  const json& counts = member_at(histogram, "counts");
  const auto low = number_at(histogram, "low"), high = number_at(histogram, "high");
  if (!counts.is_array() || counts.empty() || !low || !high || *high <= *low) return 0;
  const double width = (*high - *low) / static_cast<double>(counts.size());
  double total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (!counts[i].is_number()) continue;
    const double begin = *low + static_cast<double>(i) * width, count = counts[i].get<double>();
    add_spread(begin, begin + width, count, range, bins);
    total += count;
  }
  return total;
}

// The histograms of all layers, added up over common bins.
std::vector<ChartPoint> total_histogram(const json& gamma) {
  constexpr size_t kBins = 80;
  ValueRange range;
  for (const json& layer : gamma) {
    const json& histogram = member_at(layer, "histogram");
    for (const char* key : {"low", "high"})
      range.include(number_at(histogram, key).value_or(std::nan("")));
  }
  if (range.empty || range.high <= range.low) return {};
  std::vector<double> bins(kBins, 0.0);
  double total = 0;
  for (const json& layer : gamma)
    total += add_histogram(member_at(layer, "histogram"), range, bins);
  const double width = (range.high - range.low) / kBins;
  std::vector<ChartPoint> points;
  for (size_t b = 0; b < kBins; ++b)
    points.push_back(
        {range.low + (static_cast<double>(b) + 0.5) * width, total > 0 ? 100 * bins[b] / total : 0});
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
  chart.marks = {{1.0, "as quantized"}};
  chart.series = {{"all layers", std::move(points), 1, 0}};
  return html_figure("Gamma over all layers", line_chart(chart));
}

}  // namespace

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
                  "Line: lowest to highest; box: 5 % to 95 %; tick: median; dashed: 1, as quantized.")};
  auto histogram = total_histogram(gamma);
  if (!histogram.empty()) figures.push_back(histogram_figure(std::move(histogram)));
  return PageSection{"gamma", "Gamma", "One learned number per group of weights, which moves their codes.",
                     html_figures(figures)};
}

}  // namespace qslaw
