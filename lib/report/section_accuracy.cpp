#include <algorithm>
#include <array>

#include "core/text.h"
#include "report/missing_predictions.h"
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
    bar.interval = score_interval(metrics, "accuracy");
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
  if (key == "n") return "samples";
  if (key.ends_with("_bytes")) key.replace(key.size() - 5, 5, "memory");
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

// The peak of a device that was not there.
bool is_absent(const std::string& key, const json& value) {
  return key == "peak_device_bytes" && value == json(0);
}

// The main numbers first, then what they were measured on.
std::vector<std::string> ordered_keys(const json& metrics) {
  static const std::vector<std::string> order = {"accuracy", "perception", "cognition", "perplexity",
                                                 "score",    "f1",         "loss"};
  static const std::vector<std::string> last = {"n",      "tokens",   "context", "windows",
                                                "stride", "unparsed", "missing"};
  std::vector<std::string> keys;
  for (const auto& [key, value] : metrics.items())
    keys.push_back(key);
  const auto rank = [](const std::string& key) {
    const auto front = std::find(order.begin(), order.end(), key) - order.begin();
    const auto back = std::find(last.begin(), last.end(), key);
    return back == last.end() ? front : 100 + (back - last.begin());
  };
  std::stable_sort(keys.begin(), keys.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return keys;
}

bool has_bounds(const json& metrics, const std::string& metric) {
  return metrics.contains(metric) && metrics.contains(metric + "_low") && metrics.contains(metric + "_high");
}

// One of the two ends of another key's interval.
bool is_bound(const json& metrics, const std::string& key) {
  const size_t end = key.rfind('_');
  if (end == std::string::npos) return false;
  const std::string ending = key.substr(end);
  return (ending == "_low" || ending == "_high") && has_bounds(metrics, key.substr(0, end));
}

// Beside an accuracy stand its parts, by names that the data give ("binary", "adversarial_recall"), in
// percent as it is, and counts. MME has none: its parts are points.
bool is_part_of_accuracy(const json& metrics, const std::string& key) {
  static const std::vector<std::string> counts = {"n", "units", "unparsed", "missing", "skipped"};
  return metrics.contains("accuracy") && std::find(counts.begin(), counts.end(), key) == counts.end();
}

std::string metric_text(const json& metrics, const std::string& key, double value) {
  return format_metric(is_part_of_accuracy(metrics, key) ? "accuracy" : key, value);
}

std::string interval_text(const json& metrics, const std::string& metric) {
  const auto interval = score_interval(metrics, metric);
  if (!interval) return kNoValue;
  std::string low = metric_text(metrics, metric, interval->first);
  if (low.ends_with(" %")) low.resize(low.size() - 2);  // which stands behind the upper end
  return concat(low, " to ", metric_text(metrics, metric, interval->second));
}

Html benchmark_facts(const std::string& benchmark, const json& metrics) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const std::string& key : ordered_keys(metrics)) {
    const json& value = metrics[key];
    if (is_subset(key) || is_absent(key, value) || is_bound(metrics, key)) continue;
    if (value.is_number())
      facts.emplace_back(metric_title(key), metric_text(metrics, key, value.get<double>()));
    if (value.is_null()) facts.emplace_back(metric_title(key), kNoValue);
    if (value.is_string()) facts.emplace_back(metric_title(key), value.get<std::string>());
    if (has_bounds(metrics, key))
      facts.emplace_back(metric_title(key) + ", 95 % interval", interval_text(metrics, key));
  }
  if (facts.empty()) return {};
  Html out = html_element("h4", "", html_text(benchmark_title(benchmark)));
  out += html_facts(facts);
  return out;
}

// Those with an accuracy first.
std::vector<std::string> ordered_benchmarks(const json& results) {
  std::vector<std::string> names;
  for (const auto& [name, metrics] : results.items()) {
    if (metrics.is_object() && !metrics.empty()) names.push_back(name);
  }
  std::stable_partition(names.begin(), names.end(),
                        [&](const auto& n) { return results[n].contains("accuracy"); });
  return names;
}

std::string samples_lead(const std::vector<PictureSample>& samples) {
  const auto is_right = [](const PictureSample& sample) { return sample.correct; };
  const auto right = std::count_if(samples.begin(), samples.end(), is_right);
  const std::string spread = ", spread evenly over the test set.";
  if (right == 0) return "Wrong answers alone" + spread;
  if (right == std::ssize(samples)) return "Right answers alone" + spread;
  return "Right and wrong answers in turn" + spread;
}

}  // namespace

std::string benchmark_title(const std::string& benchmark) {
  if (benchmark == "scienceqa") return "ScienceQA";
  if (benchmark == "loss") return "Loss on held-out answers";
  if (benchmark == "text_perplexity") return "Text perplexity";
  if (benchmark == "speed") return "Speed";
  return benchmark;
}

std::string score_title(const BenchmarkScore& score) {
  const std::string title = benchmark_title(score.benchmark);
  const bool named = score.benchmark == score.metric || score.benchmark == "text_" + score.metric;
  return named ? title : title + " " + score.metric;
}

OptionalSection accuracy_section(const RunFolder& run) {
  const json& results = stage_results(run, "eval");
  if (!results.is_object() || results.empty()) return std::nullopt;
  std::vector<Html> bars;
  Html facts;
  for (const std::string& benchmark : ordered_benchmarks(results)) {
    const json& metrics = results[benchmark];
    if (has_subsets(metrics)) bars.push_back(subset_figure(benchmark, metrics));
    facts += benchmark_facts(benchmark, metrics);
  }
  if (facts.code.empty()) return std::nullopt;
  const std::string title = "Accuracy and speed", warning = join(missing_predictions(run), "; ");
  const std::string lead = warning.empty() ? "" : "Warning: " + warning + ".";
  if (bars.empty()) return PageSection{"accuracy", title, lead, html_panel("", facts)};
  // Below: a long list beside a chart would leave half the page empty.
  Html body = html_figures(bars);
  body += html_panel("All benchmarks", facts);
  return PageSection{"accuracy", title, lead, body};
}

OptionalSection samples_section(const RunFolder& run) {
  const auto samples = choose_samples(run, kMostSamples);
  if (samples.empty()) return std::nullopt;
  return PageSection{"samples", "Sample answers", samples_lead(samples), html_samples(samples)};
}

}  // namespace qslaw
