#include "position_checks.h"

#include <optional>

#include "core/log.h"
#include "core/text.h"

namespace qslaw {
namespace {

/// The longest sequence that a part of the recipe allows.
struct Allowed {
  int64_t positions = 0;
  std::string by;   // "max_length 8192"
  std::string key;  // of that part: "tune.data"
};

void add_data(std::vector<Allowed>& all, const std::optional<DataOptions>& data, const std::string& key) {
  if (data) all.push_back({data->max_length, concat("max_length ", data->max_length), key});
}

void add_heldout(std::vector<Allowed>& all, const HeldoutOptions& heldout, const std::string& stage) {
  add_data(all, heldout.text, stage + ".heldout.text");
  add_data(all, heldout.pictures, stage + ".heldout.pictures");
}

void add_quantize(std::vector<Allowed>& all, const QuantizeOptions& options) {
  if (!options.calibration) return;
  const int64_t length = options.calibration->length;
  all.push_back({length, concat("length ", length), "quantize.calibration"});
}

void add_warmup(std::vector<Allowed>& all, const WarmupOptions& options) {
  for (size_t i = 0; i < options.phases.size(); ++i) {
    add_data(all, options.phases[i].pictures, concat("warmup.phases.", i, ".pictures"));
    add_data(all, options.phases[i].text, concat("warmup.phases.", i, ".text"));
  }
  add_heldout(all, options.heldout, "warmup");
}

void add_tune(std::vector<Allowed>& all, const TuneOptions& options) {
  const PhaseOptions& phase = options.phase;
  add_data(all, phase.pictures ? phase.pictures : phase.text, "tune.data");
  if (phase.pictures) add_data(all, phase.text, "tune.text");
  add_heldout(all, options.heldout, "tune");
}

// Prompts that nothing cuts (scienceqa, questions) are as long as their data.
void add_eval(std::vector<Allowed>& all, const EvalOptions& options) {
  for (size_t i = 0; i < options.benchmarks.size(); ++i) {
    const BenchmarkOptions& benchmark = options.benchmarks[i];
    const std::string key = concat("eval.benchmarks.", i);
    if (benchmark.kind == "speed") {
      all.push_back(
          {benchmark.prompt_tokens + benchmark.new_tokens,
           concat("prompt_tokens ", benchmark.prompt_tokens, " and new_tokens ", benchmark.new_tokens), key});
    } else if (has_data(benchmark) && benchmark.kind != "scienceqa") {
      all.push_back({benchmark.context, concat("context ", benchmark.context), key});
    }
  }
}

std::vector<Allowed> allowed_lengths(const Recipe& recipe, const std::vector<std::string>& stages) {
  std::vector<Allowed> all;
  for (const std::string& stage : stages) {
    if (stage == "quantize") add_quantize(all, *recipe.quantize);
    if (stage == "warmup") add_warmup(all, *recipe.warmup);
    if (stage == "tune") add_tune(all, *recipe.tune);
    if (stage == "eval") add_eval(all, *recipe.eval);
  }
  return all;
}

}  // namespace

void warn_of_positions(const Recipe& recipe, const std::vector<std::string>& stages,
                       const LanguageConfig& language) {
  const int64_t most = usable_positions(language);
  const char* scaled = most > language.max_positions ? " with its rope scaling" : "";
  const auto file = recipe.model.source.tokenizer_folder() / "config.json";
  for (const Allowed& allowed : allowed_lengths(recipe, stages)) {
    if (allowed.positions <= most) continue;
    log_warning(concat("[model] expected at most ", most, " positions (max_position_embeddings of ",
                       file.string(), scaled, "), got ", allowed.by, " (", allowed.key, ")"));
  }
}

}  // namespace qslaw
