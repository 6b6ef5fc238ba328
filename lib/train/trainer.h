// The training loop: phases of mixed samples, micro-batches, AdamW, checkpoints. It sees a model, parameter
// groups and data sets; what the linears are made of is none of its business.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image_transform.h"
#include "data/plan.h"
#include "model/llava.h"
#include "train/options.h"
#include "train/parameters.h"

namespace qslaw {

/// One phase, ready to run: plan.size() = steps * batch_size (the last step may be short). The optimizer
/// state starts anew in each phase, and the schedule runs over its steps; parameters carry over.
struct TrainPhase {
  std::vector<const Dataset*> sources;  // not owned
  std::vector<Draw> plan;
  int64_t steps = 0;
  int64_t batch_size = 0;            // samples per step
  std::map<std::string, double> lr;  // by group name, where it differs from the group's own
  BadSamplePolicy on_bad_sample = BadSamplePolicy::error;
};

struct TrainTask {
  std::string title;             // of the progress bar: "warmup", "tune"
  const Llava* model = nullptr;  // holds the groups' tensors
  std::vector<ParameterGroup> groups;
  std::vector<TrainPhase> phases;
  OptimizerOptions optimizer;
  LoopOptions loop;  // its batch_size is not looked at: phases have theirs
  bool train_vision = false;
  ImageTransform transform;
  std::shared_ptr<DropoutKey> dropout;  // may be null
  uint64_t seed = 42;
  std::filesystem::path folder;             // gets metrics.jsonl and checkpoints
  std::string fingerprint;                  // of recipe and data; a resumed run must have the same
  std::function<nlohmann::json()> heldout;  // measured before, every heldout_every steps, after; may be empty
  int64_t heldout_every = 0;
};

struct TrainResult {
  int64_t steps = 0;
  // Of all processes of a run that was stopped and resumed together.
  int64_t tokens = 0;
  double seconds = 0.0;
  int64_t peak_host_bytes = 0;
  double first_loss = 0.0;
  double last_loss = 0.0;
  nlohmann::json heldout_before;
  nlohmann::json heldout_after;
  // Different samples of a data set, however often they were drawn.
  int64_t skipped_samples = 0;       // bad ones and long ones
  int64_t skipped_long_samples = 0;  // of these, long ones
  int64_t cut_samples = 0;
  int64_t optimizer_bytes = 0;
  int64_t gradient_bytes = 0;
};

/// Runs the task to its end. A checkpoint is written before anything else, every `save_every` steps and on a
/// stop signal (then Stopped is thrown). With `resume` it goes on at the newest checkpoint, if there is one,
/// exactly as if it had never stopped. UserError for a non-finite loss or gradient (step, sample ids, first
/// layer or tensor), for a checkpoint that is damaged or of another format, for another fingerprint on resume
/// unless no step was done, and when a trainable tensor has not moved by the end, which a checkpoint then
/// keeps: resumed, the run ends at once with the same error.
TrainResult train(const TrainTask& task, bool resume);

}  // namespace qslaw
