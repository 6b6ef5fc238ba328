#include "asked_checks.h"

#include <optional>

namespace qslaw {
namespace {

// What --all-samples and --check-share ask for; nothing when neither is there.
std::optional<Scrutiny> asked_scrutiny(const StageRun& run) {
  const CommandOptions& options = run.experiment.options;
  if (options.all_samples) return Scrutiny{};
  if (options.check_share > 0) return Scrutiny{options.check_share, false};
  return std::nullopt;
}

}  // namespace

bool asks_for_more(const StageRun& run) {
  return asked_scrutiny(run).has_value();
}

void look_if_asked(const StageRun& run, int64_t count, const SampleSource& sample, CheckOptions& options) {
  options.log_bad = run.experiment.options.dry_run;
  const auto scrutiny = asked_scrutiny(run);
  if (!scrutiny) return;
  look_at_samples(options, *scrutiny, count, sample);
  options.log_bad = false;
}

void add_samples(DataShape& shape, int64_t count, double mean_tokens, double mean_learned) {
  if (count == 0) return;
  shape.samples += count;
  const double share = static_cast<double>(count) / static_cast<double>(shape.samples);
  shape.mean_tokens += share * (mean_tokens - shape.mean_tokens);
  shape.mean_learned += share * (mean_learned - shape.mean_learned);
}

}  // namespace qslaw
