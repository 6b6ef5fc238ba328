#include "report/run_report.h"

#include <initializer_list>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "report/missing_predictions.h"
#include "report/number_text.h"
#include "report/run_sections.h"

namespace qslaw {
namespace {

std::string interval_note(const BenchmarkScore& score) {
  if (!score.interval) return "";
  const auto [low, high] = *score.interval;
  return concat(", 95 % interval ", format_decimals(low, 1), " to ", format_decimals(high, 1));
}

Card score_card(const BenchmarkScore& score) {
  const std::string count = score.count ? format_count(*score.count) + " samples" : "";
  return {score_title(score), format_metric(score.metric, score.value), count + interval_note(score)};
}

std::vector<std::string> chips(const RunFolder& run) {
  const RunHeadline head = headline(run);
  std::vector<std::string> out = {head.method, head.bits};
  if (head.group_size > 0) out.push_back(concat("groups of ", head.group_size));
  if (!head.tuning.empty()) out.push_back("tuned: " + head.tuning);
  for (const std::string& stage : run.unfinished)
    out.push_back(stage + " unfinished");
  return out;
}

std::string packed_note(const RunHeadline& head) {
  if (!head.dense_bytes || *head.packed_bytes <= 0) return "";
  return concat(format_decimals(*head.dense_bytes / *head.packed_bytes, 2), "\xC3\x97 smaller than ",
                format_size(*head.dense_bytes));
}

std::string footer(const RunFolder& run) {
  for (auto stage = run.stages.rbegin(); stage != run.stages.rend(); ++stage) {
    if (stage->report) return concat("qslaw ", stage->report->version, ", commit ", stage->report->git);
  }
  return "qslaw";
}

}  // namespace

Html summary_cards(const RunFolder& run) {
  constexpr size_t kMostScores = 3;
  const RunHeadline head = headline(run);
  std::vector<Card> cards;
  for (const BenchmarkScore& score : benchmark_scores(run)) {
    if (cards.size() < kMostScores) cards.push_back(score_card(score));
  }
  if (head.packed_bytes)
    cards.push_back({"Packed weights", format_size(*head.packed_bytes), packed_note(head)});
  if (head.peak_bytes > 0) {
    cards.push_back({head.on_device ? "Peak device memory" : "Peak host memory",
                     format_bytes(head.peak_bytes), "in " + stage_title(head.peak_stage)});
  }
  if (head.seconds > 0)
    cards.push_back({"Time", format_metric("seconds", head.seconds),
                     run.unfinished.empty() ? "all stages together" : "finished stages together"});
  return html_cards(cards);
}

void write_run_report(const std::filesystem::path& output_folder, const std::filesystem::path& html) {
  const RunFolder run = load_run(output_folder);
  for (const auto& [stage, reason] : run.left_out)
    log_warning(concat("report: ", stage, ": ", reason));
  for (const std::string& gap : missing_predictions(run))
    log_warning("report: " + gap);
  Page page;
  page.eyebrow = "qslaw run report";
  page.title = run.name;
  page.chips = chips(run);
  page.summary = summary_cards(run);
  page.footer = footer(run);
  if (!run.left_out.empty())
    page.sections.push_back({"left-out", "Left out",
                             "Warning: results of another model lie in the same folder.",
                             html_panel("", html_facts(run.left_out))});
  for (OptionalSection section :
       {accuracy_section(run), samples_section(run), training_section(run, "warmup"), gamma_section(run),
        training_section(run, "tune"), memory_section(run), quantization_section(run), recipe_section(run),
        versions_section(run)}) {
    if (section) page.sections.push_back(std::move(*section));
  }
  write_file_atomic(html, html_page(page));
}

}  // namespace qslaw
