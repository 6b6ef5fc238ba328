#include <algorithm>
#include <array>

#include "report/number_text.h"
#include "report/run_sections.h"
#include "report/samples.h"
#include "report/svg_plot.h"

namespace qslaw {
namespace {

using nlohmann::json;

constexpr size_t kMostSamples = 12;

struct Subset {
  const char* key;
  const char* group;
  const char* title;
};

// ScienceQA's classes, in the order of its published tables.
constexpr std::array<Subset, 8> kSubsets = {{{"NAT", "Subject", "natural science"},
                                             {"SOC", "Subject", "social science"},
                                             {"LAN", "Subject", "language science"},
                                             {"TXT", "Context", "text"},
                                             {"IMG", "Context", "picture"},
                                             {"NO", "Context", "none"},
                                             {"G1-6", "Grade", "1 to 6"},
                                             {"G7-12", "Grade", "7 to 12"}}};

Bar percent_bar(const std::string& label, double value, int color) {
  return {label, {{value, color, ""}}, format_metric("accuracy", value), std::nullopt};
}

bool has_subsets(const json& metrics) {
  return std::any_of(kSubsets.begin(), kSubsets.end(),
                     [&](const Subset& s) { return number_at(metrics, s.key); });
}

Html subset_figure(const std::string& benchmark, const json& metrics) {
  BarChart chart;
  chart.description = "Accuracy by class of question";
  chart.maximum = 100;
  if (const auto accuracy = number_at(metrics, "accuracy")) {
    Bar bar = percent_bar("all questions", *accuracy, 1);
    const auto count = number_at(metrics, "n");
    if (count && *count >= 1 && *accuracy >= 0 && *accuracy <= 100) {
      bar.interval = accuracy_interval(*accuracy, static_cast<int64_t>(std::min(*count, 1e15)));
    }
    chart.groups.push_back({"", {bar}});
  }
  for (const Subset& subset : kSubsets) {
    const auto value = number_at(metrics, subset.key);
    if (!value) continue;
    if (chart.groups.empty() || chart.groups.back().name != subset.group)
      chart.groups.push_back({subset.group, {}});
    chart.groups.back().bars.push_back(percent_bar(subset.title, *value, 3));
  }
  return html_figure(benchmark_title(benchmark) + ": accuracy by class of question", bar_chart(chart),
                     "The whisker is the 95 % interval that the number of questions leaves.");
}

bool is_subset(const std::string& key) {
  return std::any_of(kSubsets.begin(), kSubsets.end(), [&](const Subset& s) { return key == s.key; });
}

std::string metric_title(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key == "n" ? "samples" : key;
}

Html facts_figure(const std::string& benchmark, const json& metrics) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : metrics.items()) {
    if (is_subset(key)) continue;
    if (value.is_number()) facts.emplace_back(metric_title(key), format_metric(key, value.get<double>()));
    if (value.is_null()) facts.emplace_back(metric_title(key), kNoValue);
    if (value.is_string()) facts.emplace_back(metric_title(key), value.get<std::string>());
  }
  return html_figure(benchmark_title(benchmark), html_facts(facts));
}

}  // namespace

std::string benchmark_title(const std::string& benchmark) {
  if (benchmark == "scienceqa") return "ScienceQA";
  if (benchmark == "loss") return "Loss on held-out answers";
  if (benchmark == "text_perplexity") return "Text perplexity";
  if (benchmark == "speed") return "Speed";
  return benchmark;
}

OptionalSection accuracy_section(const RunFolder& run) {
  const json& results = stage_results(run, "eval");
  if (!results.is_object() || results.empty()) return std::nullopt;
  std::vector<Html> bars, facts;
  for (const auto& [benchmark, metrics] : results.items()) {
    if (!metrics.is_object()) continue;
    if (has_subsets(metrics)) bars.push_back(subset_figure(benchmark, metrics));
    facts.push_back(facts_figure(benchmark, metrics));
  }
  if (facts.empty()) return std::nullopt;
  Html column;
  for (const Html& one : facts)
    column += one;
  // With bars, the numbers stand in a column beside them.
  if (bars.size() == 1) {
    Html body = html_element("div", "figures", {bars[0].code + html_element("div", "column", column).code});
    return PageSection{"accuracy", "Accuracy and speed", "", body};
  }
  bars.insert(bars.end(), facts.begin(), facts.end());
  return PageSection{"accuracy", "Accuracy and speed", "", html_figures(bars)};
}

OptionalSection samples_section(const RunFolder& run) {
  const auto samples = choose_samples(run, kMostSamples);
  if (samples.empty()) return std::nullopt;
  return PageSection{"samples", "Sample answers",
                     "Right and wrong answers in turn, spread evenly over the test set.",
                     html_samples(samples)};
}

}  // namespace qslaw
