// What warmup and tune share: data sets, plans, held-out measurements, the report.
#pragma once
#include <memory>
#include <vector>

#include "assemble.h"
#include "report/stage_report.h"
#include "stages.h"
#include "train/trainer.h"

namespace qslaw {

/// Data sets of the phases and held-out sets; keeps alive what a TrainTask points to.
class TrainingData {
 public:
  TrainingData(const StageRun& run, const LlavaConfig& config, const std::vector<PhaseOptions>& phases,
               const LoopOptions& loop, const HeldoutOptions& heldout);

  const std::vector<TrainPhase>& phases() const { return phases_; }
  const ImageTransform& transform() const { return transform_; }
  /// True when some phase has pictures: then the projector gets gradients.
  bool has_pictures() const { return has_pictures_; }
  /// {"text_perplexity", "text_loss", "picture_loss"} as far as held-out sets were given; empty function
  /// otherwise.
  std::function<nlohmann::json()> heldout(const Llava& model) const;
  /// Of all data sets together.
  std::string fingerprint() const;

 private:
  double heldout_loss(const Llava& model, const Dataset& dataset, BadSamplePolicy policy) const;
  const Dataset* add(const DataOptions& options, const EncodingContext& context);

  std::unique_ptr<Tokenizer> tokenizer_;
  ImageTransform transform_;
  std::vector<std::unique_ptr<Dataset>> datasets_;
  std::vector<TrainPhase> phases_;
  const Dataset* heldout_text_ = nullptr;
  const Dataset* heldout_pictures_ = nullptr;
  BadSamplePolicy heldout_policy_ = BadSamplePolicy::error;
  bool has_pictures_ = false;
};

/// A task over the data with everything but the parameter groups filled in.
TrainTask make_task(const StageRun& run, const TrainingData& data, const Llava& model,
                    const OptimizerOptions& optimizer, const LoopOptions& loop,
                    const HeldoutOptions& heldout);

/// Steps, losses, speed and memory of a finished training run.
void report_training(const StageRun& run, const TrainTask& task, const TrainResult& result,
                     const Llava& model, StageReport& report);

/// Bytes of every frozen and trained tensor of the model, without what lies in a mapped file.
int64_t model_bytes(const Llava& model);

}  // namespace qslaw
