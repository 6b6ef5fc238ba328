#include "training.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "core/random.h"
#include "kernels/device_memory.h"
#include "model/dataset_loss.h"
#include "model/named_tensors.h"
#include "report/host_memory.h"

namespace qslaw {
namespace {

// Number of draws of a phase: every picture `epochs` times (text alone: every block), and text on top by its
// share. `key` is the phase's.
int64_t phase_draws(const PhaseOptions& options, int64_t pictures, int64_t texts, int64_t batch_size,
                    const ShareCurve& share, const std::string& key) {
  if (options.max_steps > 0) return options.max_steps * batch_size;
  if (pictures == 0) return draw_count(options.epochs * static_cast<double>(texts), key + ".epochs");
  double mean_share = 0.0;
  constexpr int kSamples = 1000;
  for (int i = 0; i < kSamples; ++i)
    mean_share += share.empty() ? 0.0 : share_at(share, (i + 0.5) / kSamples) / kSamples;
  require(mean_share < 0.999, "recipe", "expected text_share to leave room for pictures, got a mean of ",
          mean_share);
  return draw_count(options.epochs * static_cast<double>(pictures) / (1.0 - mean_share), key + ".epochs");
}

TrainPhase plan_phase(const PhaseOptions& options, const Dataset* pictures, const Dataset* texts,
                      const LoopOptions& loop, uint64_t seed, const std::string& key) {
  TrainPhase phase;
  phase.batch_size = phase_batch_size(options, loop);
  const int64_t picture_count = pictures ? pictures->size() : 0, text_count = texts ? texts->size() : 0;
  ShareCurve share = options.text_share;
  if (pictures && texts && share.empty()) share = {{0.0, 0.5}, {1.0, 0.5}};
  const int64_t draws = phase_draws(options, picture_count, text_count, phase.batch_size, share, key);
  if (pictures && texts) {
    phase.sources = {pictures, texts};
    phase.plan = plan_mixed(picture_count, text_count, draws, share, seed);
  } else {
    phase.sources = {pictures ? pictures : texts};
    // Rows of a packed length are made of the whole step, in whatever order its samples are.
    const int64_t together = loop.packed_length > 0 ? phase.batch_size : loop.micro_batch_size;
    const StepShape step{together, phase.batch_size / together};
    phase.plan = options.group_by == "none" ? plan_single(picture_count + text_count, draws, seed)
                                            : plan_grouped(pictures->modality_lengths(), draws, step, seed);
  }
  phase.steps = (draws + phase.batch_size - 1) / phase.batch_size;
  const DataOptions& data = pictures ? *options.pictures : *options.text;
  if (options.lr > 0) phase.lr["gamma"] = options.lr;
  if (options.projector_lr > 0) phase.lr["projector"] = options.projector_lr;
  phase.on_bad_sample = data.on_bad_sample;
  return phase;
}

}  // namespace

TrainingData::TrainingData(const StageRun& run, const LlavaConfig& config,
                           const std::vector<PhaseOptions>& phases, const LoopOptions& loop,
                           const HeldoutOptions& heldout)
    : tokenizer_(std::make_unique<Tokenizer>(load_tokenizer(run.experiment.recipe.model, config))),
      transform_(image_transform(run.experiment.recipe.model, config.vision)) {
  const std::string& model_template = run.experiment.recipe.model.template_name;
  for (size_t i = 0; i < phases.size(); ++i) {
    const PhaseOptions& options = phases[i];
    const EncodingContext context =
        encoding_context(*tokenizer_, options.template_name.value_or(model_template), config);
    const Dataset* pictures = options.pictures ? add(*options.pictures, context) : nullptr;
    const Dataset* texts = options.text ? add(*options.text, context) : nullptr;
    require(pictures || texts, run.stage, "expected pictures or text in phase ", i, ", got neither");
    has_pictures_ = has_pictures_ || pictures;
    const std::string key = run.stage == "warmup" ? concat("warmup.phases.", i) : run.stage;
    phases_.push_back(
        plan_phase(options, pictures, texts, loop, mix_seed(run.experiment.recipe.seed, i), key));
  }
  const EncodingContext context = encoding_context(*tokenizer_, model_template, config);
  if (heldout.text) heldout_text_ = add(*heldout.text, context);
  if (heldout.pictures) {
    heldout_pictures_ = add(*heldout.pictures, context);
    heldout_policy_ = heldout.pictures->on_bad_sample;
  }
}

const Dataset* TrainingData::add(const DataOptions& options, const EncodingContext& context) {
  datasets_.push_back(make_dataset(options, context));
  require(datasets_.back()->size() > 0, "data", "expected samples in ", options.path.string(), ", got none");
  return datasets_.back().get();
}

double TrainingData::heldout_loss(const Llava& model, const Dataset& dataset, BadSamplePolicy policy) const {
  DatasetLossOptions options;
  options.on_bad_sample = policy;
  return dataset_loss(model, dataset, transform_, options).mean();
}

std::function<nlohmann::json()> TrainingData::heldout(const Llava& model) const {
  if (!heldout_text_ && !heldout_pictures_) return {};
  return [this, &model] {
    nlohmann::json measured;
    if (heldout_text_) {
      const double loss = heldout_loss(model, *heldout_text_, BadSamplePolicy::error);
      measured["text_loss"] = loss;
      measured["text_perplexity"] = std::exp(loss);
    }
    if (heldout_pictures_)
      measured["picture_loss"] = heldout_loss(model, *heldout_pictures_, heldout_policy_);
    return measured;
  };
}

std::string TrainingData::fingerprint() const {
  std::string all;
  for (const auto& dataset : datasets_)
    all += dataset->fingerprint() + "\n";
  return sha256(all);
}

TrainTask make_task(const StageRun& run, const TrainingData& data, const Llava& model,
                    const OptimizerOptions& optimizer, const LoopOptions& loop,
                    const HeldoutOptions& heldout) {
  TrainTask task;
  task.title = run.stage;
  task.model = &model;
  task.phases = data.phases();
  task.optimizer = optimizer;
  task.loop = loop;
  task.transform = data.transform();
  task.seed = run.experiment.recipe.seed;
  task.folder = run.folder;
  task.fingerprint = sha256(run.fingerprint + data.fingerprint());
  task.heldout = data.heldout(model);
  task.heldout_every = heldout.every;
  return task;
}

int64_t model_bytes(const Llava& model) {
  auto& slots_of = const_cast<Llava&>(model);  // the slots are only read
  int64_t total = 0;
  for (const auto& slots : {language_slots(slots_of), vision_slots(slots_of), projector_slots(slots_of)}) {
    for (const auto& [name, tensor] : slots) {
      const bool mapped = model.language.maps_embedding && tensor == &model.language.embedding_VD;
      if (!mapped) total += static_cast<int64_t>(tensor->nbytes());
    }
  }
  for (LlamaBlock& block : slots_of.language.blocks) {
    for (auto& [name, linear] : block_linears(block)) {
      if (!dynamic_cast<DenseLinear*>(linear->get())) total += (*linear)->weight_bytes();
    }
  }
  return total;
}

void report_training(const StageRun& run, const TrainTask& task, const TrainResult& result,
                     const Llava& model, StageReport& report) {
  report.seconds = result.seconds;
  report.peak_host_bytes = result.peak_host_bytes;
  report.tokens_per_second = result.seconds > 0 ? static_cast<double>(result.tokens) / result.seconds : 0.0;
  report.memory.weights = model_bytes(model);
  report.memory.optimizer = result.optimizer_bytes;
  report.memory.gradients = result.gradient_bytes;
  const int64_t known = report.memory.weights + report.memory.optimizer + report.memory.gradients;
  const int64_t on_device = peak_device_bytes(run.experiment.device);
  const int64_t peak = on_device > 0 ? on_device : result.peak_host_bytes - run.baseline_host_bytes;
  report.memory.activations = std::max<int64_t>(0, peak - known);
  report.results["steps"] = result.steps;
  report.results["first_loss"] = result.first_loss;
  report.results["last_loss"] = result.last_loss;
  report.results["skipped_samples"] = result.skipped_samples;
  report.results["skipped_long_samples"] = result.skipped_long_samples;
  report.results["cut_samples"] = result.cut_samples;
  report.results["trainable_parameters"] = count_parameters(task.groups);
  if (!result.heldout_before.is_null()) {
    report.results["heldout"] = {{"before", result.heldout_before}, {"after", result.heldout_after}};
  }
}

}  // namespace qslaw
