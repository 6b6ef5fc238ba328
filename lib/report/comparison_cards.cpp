#include <optional>

#include "core/text.h"
#include "report/comparison_sections.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

// The best value so far, and the runs that have it.
struct Best {
  double value = 0;
  std::vector<std::string> names;

  void offer(double other, bool better, const std::string& name) {
    if (names.empty() || better) {
      *this = {other, {name}};
    } else if (other == value) {
      names.push_back(name);
    }
  }
  std::string note() const {
    constexpr size_t kMostNames = 3;
    if (names.size() == 1) return names[0];
    std::vector<std::string> shown = names;
    if (shown.size() > kMostNames) shown.resize(kMostNames);
    const size_t more = names.size() - shown.size();
    return concat("equal: ", join(shown), more > 0 ? concat(" and ", more, " more") : "");
  }
};

// Of the first benchmark with an accuracy that a run has; none where the runs measured it differently.
std::optional<Card> accuracy_card(const Runs& runs) {
  Best best;
  std::optional<BenchmarkScore> kind;
  for (const RunFolder& run : runs) {
    const auto scores = benchmark_scores(run);
    if (scores.empty() || scores[0].metric != "accuracy") continue;
    if (!kind) kind = scores[0];
    if (scores[0].benchmark != kind->benchmark) continue;
    best.offer(scores[0].value, scores[0].value > best.value, run.name);
  }
  if (!kind || !measured_differently(runs, kind->benchmark).empty()) return std::nullopt;
  return Card{"Highest " + score_title(*kind), format_metric("accuracy", best.value), best.note()};
}

std::vector<std::string> stages_of(const RunFolder& run) {
  std::vector<std::string> names;
  for (const RunStage& stage : run.stages)
    names.push_back(stage.name);
  return names;
}

// The peak of a run that did not end may be yet to come. None where runs had other stages: one that only
// measured would win over those that trained.
std::optional<Card> memory_card(const Runs& runs) {
  Best best;
  std::optional<std::vector<std::string>> stages;
  for (const RunFolder& run : runs) {
    const auto peak = static_cast<double>(headline(run).peak_bytes);
    if (peak <= 0 || !run.unfinished.empty()) continue;
    if (!stages) stages = stages_of(run);
    if (stages_of(run) != *stages) return std::nullopt;
    best.offer(peak, peak < best.value, run.name);
  }
  if (best.names.empty()) return std::nullopt;
  return Card{"Lowest peak memory", format_size(best.value), best.note()};
}

}  // namespace

Html best_cards(const Runs& runs) {
  std::vector<Card> cards = {{"Runs", format_count(static_cast<int64_t>(runs.size())), ""}};
  for (const auto& card : {accuracy_card(runs), memory_card(runs)}) {
    if (card) cards.push_back(*card);
  }
  return html_cards(cards);
}

}  // namespace qslaw
