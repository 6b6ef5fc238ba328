#include "report/comparison_sections.h"

#include <algorithm>
#include <map>

#include "core/text.h"
#include "report/number_text.h"

using nlohmann::json;

namespace qslaw {
namespace {

constexpr size_t kMostValues = 4;

// What is measured, and how: the keys of measured_on, and counts that follow from them.
void add_settings(const json& metrics, std::map<std::string, std::vector<std::string>>& values) {
  const auto add = [&](const std::string& key, const json& value) {
    if (value.is_null()) return;
    const std::string number = value.is_number() ? format_metric(key, value.get<double>()) : value.dump();
    const std::string text = value.is_string() ? value.get<std::string>() : number;
    auto& known = values[key];
    if (std::find(known.begin(), known.end(), text) == known.end()) known.push_back(text);
  };
  const json& options = member_at(metrics, "measured_on");
  if (options.is_object()) {
    for (const auto& [key, value] : options.items())
      add(key, value);
  }
  for (const char* count : {"n", "tokens", "context"})
    add(count, member_at(metrics, count));
}

std::string list_values(std::vector<std::string> shown) {
  if (shown.size() > kMostValues) {
    shown.resize(kMostValues);
    shown.emplace_back("...");
  }
  return join(shown, "; ");
}

}  // namespace

int run_color(size_t index) {
  return static_cast<int>(index % kColorCount) + 1;
}

int run_dash(size_t index) {
  return static_cast<int>((index + index / kColorCount) % kDashCount);
}

double run_bits(const RunFolder& run) {
  return number_at(stage_results(run, "quantize"), "bits").value_or(16);
}

const BenchmarkScore* find_score(const std::vector<BenchmarkScore>& scores, const BenchmarkScore& kind) {
  const auto it = std::find_if(scores.begin(), scores.end(), [&](const BenchmarkScore& score) {
    return score.benchmark == kind.benchmark && score.metric == kind.metric;
  });
  return it == scores.end() ? nullptr : &*it;
}

std::vector<BenchmarkScore> score_kinds(const Runs& runs) {
  std::vector<BenchmarkScore> kinds;
  for (const RunFolder& run : runs) {
    for (const BenchmarkScore& score : benchmark_scores(run)) {
      if (!find_score(kinds, score)) kinds.push_back(score);
    }
  }
  return kinds;
}

std::string measured_differently(const Runs& runs, const std::string& benchmark) {
  std::map<std::string, std::vector<std::string>> values;
  for (const RunFolder& run : runs)
    add_settings(member_at(stage_results(run, "eval"), benchmark), values);
  std::vector<std::string> different;
  for (const auto& [key, found] : values) {
    if (found.size() < 2) continue;
    different.push_back(key == "data" ? key : concat(key, " (", list_values(found), ")"));
  }
  return join(different);
}

}  // namespace qslaw
