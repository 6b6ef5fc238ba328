#include "train/trainer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>

#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/random.h"
#include "data/loader.h"
#include "kernels/adamw.h"
#include "kernels/device_memory.h"
#include "model/dataset_loss.h"
#include "model/nonfinite.h"
#include "report/host_memory.h"
#include "report/metrics.h"
#include "train/checkpoint.h"
#include "train/position.h"
#include "train/schedule.h"
#include "train/step_metrics.h"

namespace qslaw {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string tensor_hash(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().cpu().contiguous();
  return sha256({static_cast<const char*>(host.const_data_ptr()), host.nbytes()});
}

class Trainer {
 public:
  Trainer(const TrainTask& task, bool resume) : task_(task), began_(Clock::now()) {
    for (const TrainPhase& phase : task.phases)
      total_steps_ += phase.steps;
    reset_optimizers();
    const auto checkpoint = resume ? find_checkpoint(task.folder) : std::nullopt;
    if (!checkpoint || !goes_on(*checkpoint)) start_fresh();
    metrics_ = std::make_unique<MetricsWriter>(task.folder / "metrics.jsonl", position_.step);
  }

  TrainResult run() {
    if (position_.step == 0) {
      position_.heldout_before = measure();
      save();
    } else if (position_.measuring) {
      measure();
    }
    Progress progress(task_.title, total_steps_, "steps", position_.step);
    while (position_.phase < task_.phases.size())
      run_phase(progress);
    require_movement();
    return finish();
  }

 private:
  void start_fresh() {
    remove_checkpoints(task_.folder);
    for_each_tensor([&](const std::string& name, const at::Tensor& tensor) {
      position_.initial_hashes[name] = tensor_hash(tensor);
    });
    // Before any time is spent: a full disk or a read-only folder shows up now.
    if (!task_.heldout) save();
  }

  bool goes_on(const std::filesystem::path& checkpoint) {
    const RunState state = read_state(checkpoint);
    if (!is_this_run(state, checkpoint)) return false;
    load_checkpoint(checkpoint, task_.groups, optimizers_);
    position_ = state.position;
    resumed_step_ = position_.step;
    log_info(concat(task_.title, ": resumed at step ", position_.step, " of ", total_steps_));
    return true;
  }

  // Another run may take the place of one that has done no step.
  bool is_this_run(const RunState& state, const std::filesystem::path& checkpoint) const {
    if (state.fingerprint == task_.fingerprint) return true;
    require(!has_progress(task_.folder), "resume",
            "expected the recipe and data that this run began with, got others (", checkpoint.string(),
            "); start over with --restart");
    log_info(concat(task_.title, ": no step was done and the data has changed, starting over"));
    return false;
  }

  void save() {
    metrics_sync();
    Position saved = position_;
    saved.seconds += seconds_since(began_);
    saved.peak_host_bytes = peak_bytes();
    save_checkpoint(task_.folder, position_.step, task_.groups, optimizers_,
                    state_json({saved, task_.fingerprint}));
  }

  void metrics_sync() {
    if (metrics_) metrics_->sync();
  }

  void reset_optimizers() {
    optimizers_.clear();
    for (const ParameterGroup& group : task_.groups) {
      std::vector<at::Tensor> tensors;
      for (const auto& [name, tensor] : group.tensors)
        tensors.push_back(tensor);
      AdamWOptions options;
      options.weight_decay = group.weight_decay;
      options.int8_states = task_.optimizer.states == "int8";
      optimizers_.emplace_back(tensors, options);
    }
  }

  void run_phase(Progress& progress) {
    const TrainPhase& phase = task_.phases[position_.phase];
    LoaderOptions loading;
    loading.threads = task_.loop.loader_threads;
    loading.ahead = 2 * phase.batch_size;
    loading.on_bad_sample = phase.on_bad_sample;
    Loader loader(phase.sources, phase.plan, position_.phase_step * phase.batch_size, task_.transform,
                  loading);
    const int64_t skipped_before = position_.skipped;
    while (position_.phase_step < phase.steps) {
      run_step(phase, loader);
      position_.skipped = skipped_before + loader.skipped();
      progress.update(position_.step, concat("loss ", format_fixed(position_.last_loss, 4)));
      after_step();
    }
    position_.phase += 1;
    position_.phase_step = 0;
    if (position_.phase < task_.phases.size()) reset_optimizers();
  }

  void run_step(const TrainPhase& phase, Loader& loader) {
    const auto step_began = Clock::now();
    const double waited_before = loader.waited_s();
    const std::vector<LoadedSample> samples = loader.next(phase.batch_size);
    StepMetrics metrics;
    accumulate_gradients(samples, metrics);
    const double norm = gradient_norm(samples);
    clip_gradients(norm);
    nlohmann::json line = metrics.to_json();
    line["lr"] = apply_update(phase);
    position_.step += 1;
    position_.phase_step += 1;
    position_.last_loss = metrics.loss();
    if (position_.step == 1) position_.first_loss = position_.last_loss;
    position_.tokens += metrics.tokens();
    const double seconds = seconds_since(step_began);
    line["step"] = position_.step;
    line["phase"] = position_.phase;
    line["progress"] = static_cast<double>(position_.phase_step) / static_cast<double>(phase.steps);
    line["grad_norm"] = norm;
    line["tokens_per_second"] = static_cast<double>(metrics.tokens()) / seconds;
    line["data_wait_s"] = loader.waited_s() - waited_before;
    line["step_s"] = seconds;
    line["host_bytes"] = current_host_bytes();
    line["device_bytes"] = current_device_bytes(task_.model->device);
    metrics_->write(line);
  }

  // The mean over each micro-batch's learned tokens, averaged over the micro-batches (docs/method.md,
  // "Loss").
  void accumulate_gradients(const std::vector<LoadedSample>& samples, StepMetrics& metrics) {
    const auto count = static_cast<int64_t>(samples.size());
    const int64_t size = task_.loop.micro_batch_size, micro_batches = (count + size - 1) / size;
    for (int64_t m = 0; m < micro_batches; ++m) {
      const auto begin = samples.begin() + m * size, end = samples.begin() + std::min(count, (m + 1) * size);
      const Batch batch =
          collate({begin, end}, task_.model->config.vision.features(), task_.model->config.pad_token_id);
      if (task_.dropout) {
        task_.dropout->seed =
            mix_seed(task_.seed, static_cast<uint64_t>(position_.step), static_cast<uint64_t>(m)) | 1;
      }
      const TokenLosses losses =
          token_losses(*task_.model, batch, {task_.loop.checkpointing, task_.train_vision});
      const at::Tensor loss = losses.nll_M.mean();
      if (!std::isfinite(loss.item<double>())) fail_nonfinite(batch);
      metrics.add(batch, sum_by_sample(losses, batch.sample_ids.size()));
      torch::autograd::backward({loss / static_cast<double>(micro_batches)}, {});
      if (task_.dropout) task_.dropout->seed = 0;
    }
  }

  [[noreturn]] void fail_nonfinite(const Batch& batch) {
    at::NoGradGuard no_grad;
    const std::string place = find_nonfinite(*task_.model, batch);
    fail(task_.title, "expected a finite loss, got NaN or infinity at step ", position_.step + 1,
         ", first in ", place.empty() ? "the loss" : place, ", samples ", join(batch.sample_ids),
         " (the last checkpoint is kept; a lower learning rate or dtype float32 may help)");
  }

  double gradient_norm(const std::vector<LoadedSample>& samples) {
    std::vector<at::Tensor> norms;
    for_each_gradient([&](const at::Tensor& gradient) { norms.push_back(gradient.norm()); });
    require(!norms.empty(), task_.title, "expected gradients at step ", position_.step + 1, ", got none");
    const double norm = at::stack(norms).norm().item<double>();
    if (!std::isfinite(norm)) fail_gradient(samples);
    return norm;
  }

  // The loss may be finite where its gradient is not (float16 overflows, a division by a tiny number).
  [[noreturn]] void fail_gradient(const std::vector<LoadedSample>& samples) {
    std::string place = "the norm over all tensors";
    for_each_tensor([&](const std::string& name, const at::Tensor& tensor) {
      const at::Tensor& gradient = tensor.grad();
      if (place.rfind("the norm", 0) == 0 && gradient.defined() && !at::isfinite(gradient).all().item<bool>())
        place = name;
    });
    std::vector<std::string> ids;
    for (const LoadedSample& sample : samples)
      ids.push_back(sample.sample.id);
    fail(task_.title, "expected finite gradients, got NaN or infinity at step ", position_.step + 1,
         ", first in ", place, ", samples ", join(ids),
         " (the last checkpoint is kept; a lower learning rate or dtype float32 may help)");
  }

  void clip_gradients(double norm) {
    const double limit = task_.optimizer.max_grad_norm;
    if (limit > 0 && norm > limit) {
      for_each_gradient([&](const at::Tensor& gradient) { gradient.mul_(limit / (norm + 1e-6)); });
    }
  }

  nlohmann::json apply_update(const TrainPhase& phase) {
    const int64_t warmup = warmup_steps(task_.optimizer.warmup_ratio, phase.steps);
    const double factor =
        schedule_factor(task_.optimizer.schedule, position_.phase_step, warmup, phase.steps);
    nlohmann::json rates;
    gradient_bytes_ = 0;
    for_each_gradient(
        [&](const at::Tensor& gradient) { gradient_bytes_ += static_cast<int64_t>(gradient.nbytes()); });
    for (size_t g = 0; g < task_.groups.size(); ++g) {
      const ParameterGroup& group = task_.groups[g];
      const auto own = phase.lr.find(group.name);
      const double rate = factor * (own == phase.lr.end() ? group.lr : own->second);
      optimizers_[g].step(rate);
      rates[group.name] = rate;
    }
    return rates;
  }

  void after_step() {
    if (task_.heldout && task_.heldout_every > 0 && position_.step % task_.heldout_every == 0 &&
        position_.step < total_steps_) {
      measure();
    }
    if (stop_requested()) stop();
    if (position_.step % task_.loop.save_every == 0 && position_.step < total_steps_) save();
  }

  [[noreturn]] void stop() {
    save();
    throw Stopped(concat(task_.title, " stopped after step ", position_.step, " of ", total_steps_,
                         "; go on with --resume"));
  }

  // Of all processes of the run so far.
  int64_t peak_bytes() const { return std::max(position_.peak_host_bytes, peak_host_bytes()); }

  // A stop within the measurement is a stop like any other: the resumed run measures first.
  nlohmann::json measure() {
    if (!task_.heldout) return nullptr;
    nlohmann::json measured = position_.step == resumed_step_ ? measured_before_kill() : nullptr;
    try {
      if (measured.is_null()) {
        measured = task_.heldout();
        metrics_->write({{"step", position_.step}, {"heldout", measured}});
      }
    } catch (const Stopped&) {
      position_.measuring = true;
      stop();
    }
    position_.measuring = false;
    return measured;
  }

  // What a process that was killed between this measurement and the next checkpoint wrote, or null.
  nlohmann::json measured_before_kill() const {
    for (const nlohmann::json& line : read_metrics(task_.folder / "metrics.jsonl")) {
      if (line.at("step") == position_.step && line.contains("heldout")) return line.at("heldout");
    }
    return nullptr;
  }

  void require_movement() {
    std::vector<std::string> unmoved;
    for_each_tensor([&](const std::string& name, const at::Tensor& tensor) {
      const auto before = position_.initial_hashes.find(name);
      if (before != position_.initial_hashes.end() && before->second == tensor_hash(tensor))
        unmoved.push_back(name);
    });
    if (unmoved.empty()) return;
    const size_t count = unmoved.size();
    if (count > 3) unmoved.resize(3);
    fail(task_.title, "expected every trainable tensor to have moved after ", position_.step, " steps, got ",
         count, " that did not: ", join(unmoved), count > 3 ? ", ..." : "",
         position_.step == 1 ? " (the first step's rate is 0 unless optimizer.warmup_ratio is)" : "");
  }

  TrainResult finish() {
    TrainResult result;
    result.heldout_before = position_.heldout_before;
    result.heldout_after = measure();
    metrics_sync();
    result.steps = position_.step;
    result.tokens = position_.tokens;
    result.peak_host_bytes = peak_bytes();
    result.seconds = position_.seconds + seconds_since(began_);
    result.first_loss = position_.first_loss;
    result.last_loss = position_.last_loss;
    result.skipped_samples = position_.skipped;
    result.gradient_bytes = gradient_bytes_;
    for (AdamW& optimizer : optimizers_)
      result.optimizer_bytes += optimizer.state_bytes();
    return result;
  }

  template <typename Fn>
  void for_each_tensor(Fn fn) {
    for (const ParameterGroup& group : task_.groups) {
      for (const auto& [name, tensor] : group.tensors)
        fn(name, tensor);
    }
  }
  template <typename Fn>
  void for_each_gradient(Fn fn) {
    for_each_tensor([&](const std::string&, const at::Tensor& tensor) {
      if (tensor.grad().defined()) fn(tensor.grad());
    });
  }

  const TrainTask& task_;
  Clock::time_point began_;
  int64_t total_steps_ = 0;
  int64_t resumed_step_ = -1;
  Position position_;
  std::vector<AdamW> optimizers_;
  std::unique_ptr<MetricsWriter> metrics_;
  int64_t gradient_bytes_ = 0;
};

}  // namespace

TrainResult train(const TrainTask& task, bool resume) {
  return Trainer(task, resume).run();
}

}  // namespace qslaw
