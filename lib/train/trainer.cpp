#include "train/trainer.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/stopwatch.h"
#include "data/loader.h"
#include "kernels/device_memory.h"
#include "report/host_memory.h"
#include "report/metrics.h"
#include "train/checkpoint.h"
#include "train/gradients.h"
#include "train/movement.h"
#include "train/position.h"
#include "train/update.h"

namespace qslaw {
namespace {

class Trainer {
 public:
  Trainer(const TrainTask& task, bool resume) : task_(task), optimizers_(make_optimizers(task)) {
    for (const TrainPhase& phase : task.phases) {
      total_steps_ += phase.steps;
      number_data(phase);
    }
    const auto checkpoint = resume ? find_checkpoint(task.folder) : std::nullopt;
    if (!checkpoint || !goes_on(*checkpoint)) start_fresh();
    metrics_ = std::make_unique<MetricsWriter>(task.folder / "metrics.jsonl", position_.step);
  }

  TrainResult run() {
    if (position_.step == 0) {
      position_.heldout_before = measure();
    } else if (position_.measuring) {
      measure();
    }
    Progress progress(task_.title, total_steps_, "steps", position_.step);
    while (position_.phase < task_.phases.size())
      run_phase(progress);
    require_movement(task_.title, groups_to_move(), position_.initial_hashes, position_.step,
                     [this] { return save().string(); });
    return finish();
  }

 private:
  void number_data(const TrainPhase& phase) {
    for (const Dataset* data : phase.sources)
      data_numbers_.emplace(data->fingerprint(), data_numbers_.size());
  }

  // However often a sample is met, in epochs, phases, or again after a resume, it is one.
  void note(const std::vector<Draw>& draws, const TrainPhase& phase, SampleSet& samples) const {
    for (const Draw& draw : draws) {
      const Dataset& data = *phase.sources[static_cast<size_t>(draw.source)];
      samples.emplace(data_numbers_.at(data.fingerprint()), draw.index);
    }
  }

  void start_fresh() {
    remove_checkpoints(task_.folder);
    position_.initial_hashes = hash_tensors(task_.groups);
    // Before any time is spent, on a measurement too: a full disk or a read-only folder shows up now.
    save();
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

  // Returns the checkpoint.
  std::filesystem::path save() {
    metrics_sync();
    Position saved = position_;
    saved.seconds += stopwatch_.seconds();
    saved.peak_host_bytes = peak_bytes();
    return save_checkpoint(task_.folder, position_.step, task_.groups, optimizers_,
                           state_json({saved, task_.fingerprint}));
  }

  // Text alone leaves the projector as it was, which costs no result unless nothing else is trained.
  std::vector<ParameterGroup> groups_to_move() const {
    std::vector<ParameterGroup> reached;
    for (const ParameterGroup& group : task_.groups) {
      if (position_.saw_pictures || !group.of_pictures) reached.push_back(group);
    }
    if (reached.empty() || reached.size() == task_.groups.size()) return task_.groups;
    log_warning(concat(task_.title, ": no sample had a picture, so the projector is what it was"));
    return reached;
  }

  void metrics_sync() {
    if (metrics_) metrics_->sync();
  }

  void run_phase(Progress& progress) {
    const TrainPhase& phase = task_.phases[position_.phase];
    LoaderOptions loading;
    loading.threads = task_.loop.loader_threads;
    loading.ahead = 2 * phase.batch_size;
    loading.on_bad_sample = phase.on_bad_sample;
    Loader loader(phase.sources, phase.plan, position_.phase_step * phase.batch_size, task_.transform,
                  loading);
    while (position_.phase_step < phase.steps) {
      run_step(phase, loader);
      const NotedSamples noted = loader.take_noted();
      note(noted.skipped, phase, position_.skipped);
      note(noted.skipped_long, phase, position_.skipped_long);
      note(noted.cut, phase, position_.cut);
      progress.update(position_.step, concat("loss ", format_fixed(position_.last_loss, 4)));
      after_step();
    }
    position_.phase += 1;
    position_.phase_step = 0;
    if (position_.phase == task_.phases.size()) return;
    optimizers_.clear();  // first, so that two sets of states never lie in memory
    optimizers_ = make_optimizers(task_);
  }

  void run_step(const TrainPhase& phase, Loader& loader) {
    const Stopwatch stopwatch;
    const double waited_before = loader.waited_s();
    const std::vector<LoadedSample> samples = loader.next(phase.batch_size);
    const auto [metrics, norm] = accumulate_gradients(task_, position_.step, samples);
    clip_gradients(task_.groups, norm, task_.optimizer.max_grad_norm);
    nlohmann::json line = metrics.to_json();
    gradient_bytes_ = gradient_bytes(task_.groups);
    line["lr"] = update_parameters(task_, phase, position_.phase_step, optimizers_);
    position_.step += 1;
    position_.phase_step += 1;
    position_.last_loss = metrics.loss();
    if (position_.step == 1) position_.first_loss = position_.last_loss;
    position_.tokens += metrics.tokens();
    position_.saw_pictures = position_.saw_pictures || metrics.has_pictures();
    const double seconds = stopwatch.seconds();
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

  TrainResult finish() {
    TrainResult result;
    result.heldout_before = position_.heldout_before;
    result.heldout_after = measure();
    metrics_sync();
    result.steps = position_.step;
    result.tokens = position_.tokens;
    result.peak_host_bytes = peak_bytes();
    result.seconds = position_.seconds + stopwatch_.seconds();
    result.first_loss = position_.first_loss;
    result.last_loss = position_.last_loss;
    result.skipped_samples = std::ssize(position_.skipped);
    result.skipped_long_samples = std::ssize(position_.skipped_long);
    result.cut_samples = std::ssize(position_.cut);
    result.gradient_bytes = gradient_bytes_;
    for (AdamW& optimizer : optimizers_)
      result.optimizer_bytes += optimizer.state_bytes();
    return result;
  }

  const TrainTask& task_;
  Stopwatch stopwatch_;
  int64_t total_steps_ = 0;
  int64_t resumed_step_ = -1;
  std::map<std::string, size_t> data_numbers_;  // by fingerprint
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
