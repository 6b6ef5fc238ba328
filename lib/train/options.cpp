#include "train/options.h"

#include <cmath>

#include "core/key_error.h"

namespace qslaw {
namespace {

constexpr int64_t kMaxThreads = 1024;  // as --threads
constexpr double kMaxAlpha = 1e6;

void check_optimizer(const OptimizerOptions& options, const std::string& key) {
  require_positive(key + ".lr", options.lr, kMaxLearningRate);
  require_between(key + ".projector_lr", options.projector_lr, 0.0, kMaxLearningRate);
  require_between(key + ".vision_lr", options.vision_lr, 0.0, kMaxLearningRate);
  require_one_of(key + ".schedule", options.schedule, {"cosine", "constant"});
  require_between(key + ".warmup_ratio", options.warmup_ratio, 0.0, 1.0);
  require_between(key + ".weight_decay", options.weight_decay, 0.0, 1e3);
  require_between(key + ".max_grad_norm", options.max_grad_norm, 0.0, 1e9);
  require_one_of(key + ".states", options.states, {"float32", "int8"});
}

/// Rows of a packed length take samples of the whole step, however many.
bool splits_evenly(int64_t batch_size, const LoopOptions& loop) {
  return loop.packed_length > 0 || batch_size % loop.micro_batch_size == 0;
}

void check_phase_rates(const PhaseOptions& options, const LoopOptions& loop, const std::string& key) {
  require_between(key + ".batch_size", options.batch_size, 0, kMaxBatchSize);
  require_key(splits_evenly(options.batch_size, loop), key + ".batch_size",
              "expected a multiple of micro_batch_size = ", loop.micro_batch_size, ", got ",
              options.batch_size);
  require_between(key + ".lr", options.lr, 0.0, kMaxLearningRate);
  require_between(key + ".projector_lr", options.projector_lr, 0.0, kMaxLearningRate);
}

void check_loop(const LoopOptions& options, const std::string& key) {
  require_between(key + ".batch_size", options.batch_size, 1, kMaxBatchSize);
  require_at_least(key + ".micro_batch_size", options.micro_batch_size, 1);
  require_between(key + ".packed_length", options.packed_length, 0, kMaxTokens);
  require_key(splits_evenly(options.batch_size, options), key + ".micro_batch_size",
              "expected a divisor of batch_size = ", options.batch_size, ", got ", options.micro_batch_size);
  require_at_least(key + ".save_every", options.save_every, 1);
  require_between(key + ".loader_threads", int64_t{options.loader_threads}, 1, kMaxThreads);
}

void check_pictures(const std::optional<DataOptions>& data, const std::string& key) {
  if (!data) return;
  require_key(data->kind != "text", key + ".kind", "expected llava or scienceqa, got \"text\"");
  check(*data, key);
}

void check_text(const std::optional<DataOptions>& data, const std::string& key) {
  if (!data) return;
  require_one_of(key + ".kind", data->kind, {"text"});
  check(*data, key);
}

void check_share(const ShareCurve& curve, const std::string& key) {
  for (size_t i = 0; i < curve.size(); ++i) {
    const std::string item = concat(key, ".", i);
    require_between(item + ".0", curve[i].first, 0.0, 1.0);
    require_between(item + ".1", curve[i].second, 0.0, 1.0);
    require_key(i == 0 || curve[i - 1].first <= curve[i].first, item,
                "expected pairs sorted by progress, got ", curve[i].first, " after ", curve[i - 1].first);
  }
}

void check_steps(const PhaseOptions& options, const LoopOptions& loop, const std::string& key) {
  require_at_least(key + ".max_steps", options.max_steps, 0);
  const int64_t batch_size = phase_batch_size(options, loop);
  require_key(options.max_steps <= kMaxDraws / batch_size, key + ".max_steps", "expected at most ",
              kMaxDraws / batch_size, " (", kMaxDraws, " samples, ", batch_size, " per step), got ",
              options.max_steps);
  if (options.max_steps == 0) require_positive(key + ".epochs", options.epochs);
}

/// `pictures` and `text` are the keys of the two sources: a section without phases names them otherwise.
void check_phase(const PhaseOptions& options, const std::string& key, const std::string& pictures,
                 const std::string& text) {
  require_key(options.pictures || options.text, key, "expected pictures or text to train on, got neither");
  check_pictures(options.pictures, pictures);
  check_text(options.text, text);
  require_key(options.text_share.empty() || (options.pictures && options.text), key + ".text_share",
              "expected both pictures and text to share, got one of them");
  check_share(options.text_share, key + ".text_share");
  require_one_of(key + ".group_by", options.group_by, {"none", "modality_length"});
  if (options.template_name) check_template(*options.template_name, key + ".template");
}

void check_heldout(const HeldoutOptions& options, const std::string& key) {
  check_text(options.text, key + ".text");
  check_pictures(options.pictures, key + ".pictures");
  require_at_least(key + ".every", options.every, 0);
  require_key(options.every == 0 || options.text || options.pictures, key + ".every",
              "expected held-out text or pictures to measure, got neither");
}

}  // namespace

int64_t phase_batch_size(const PhaseOptions& phase, const LoopOptions& loop) {
  return phase.batch_size > 0 ? phase.batch_size : loop.batch_size;
}

int64_t draw_count(double draws, const std::string& key) {
  require_key(draws <= static_cast<double>(kMaxDraws), key, "expected at most ", kMaxDraws,
              " samples drawn in a phase, got ", draws);
  return static_cast<int64_t>(std::ceil(draws));
}

void check(const WarmupOptions& options) {
  require_one_of("warmup.formula", options.formula, {"qslaw"});
  require_at_least("warmup.first_layer", options.first_layer, 0);
  require_key(!options.phases.empty() || !options.start.empty(), "warmup.phases",
              "expected at least one phase, got none");
  if (options.phases.empty()) return;  // nothing is learned
  check_optimizer(options.optimizer, "warmup.optimizer");
  check_loop(options.loop, "warmup");
  for (size_t i = 0; i < options.phases.size(); ++i) {
    const std::string key = concat("warmup.phases.", i);
    check_phase(options.phases[i], key, key + ".pictures", key + ".text");
    check_phase_rates(options.phases[i], options.loop, key);
    check_steps(options.phases[i], options.loop, key);
  }
  check_heldout(options.heldout, "warmup.heldout");
}

void check(const TuneOptions& options) {
  require_one_of("tune.method", options.method, {"lora", "full", "projector"});
  if (options.method == "lora") {
    require_at_least("tune.lora.rank", options.lora.rank, 1);
    require_positive("tune.lora.alpha", options.lora.alpha, kMaxAlpha);
    require_between("tune.lora.dropout", options.lora.dropout, 0.0, 1.0);
    require_key(options.lora.dropout < 1.0, "tune.lora.dropout", "expected less than 1, got 1");
  }
  check_optimizer(options.optimizer, "tune.optimizer");
  check_phase(options.phase, "tune", "tune.data", options.phase.pictures ? "tune.text" : "tune.data");
  check_loop(options.loop, "tune");
  check_steps(options.phase, options.loop, "tune");
  check_heldout(options.heldout, "tune.heldout");
}

}  // namespace qslaw
