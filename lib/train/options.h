// What a recipe's `warmup` and `tune` sections say.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/options.h"
#include "data/plan.h"
#include "model/checkpointing.h"
#include "model/lora.h"

namespace qslaw {

/// Samples drawn in one phase, at most. The plan of a phase takes 16 bytes per draw
/// and is held several times, so what is beyond is a slip of the pen that would exhaust the memory.
inline constexpr int64_t kMaxDraws = 100'000'000;

/// AdamW (betas 0.9, 0.999, eps 1e-8) with linear warm-up, then cosine to 0 (or constant).
struct OptimizerOptions {
  double lr = 2e-4;
  double projector_lr = 0.0;        // 0 = lr
  double vision_lr = 0.0;           // 0 = lr; used when the tower is trained
  std::string schedule = "cosine";  // cosine | constant
  double warmup_ratio = 0.03;       // share of the steps
  double weight_decay = 0.0;        // not applied to norms and biases
  double max_grad_norm = 0.0;       // 0 = no clipping
  std::string states = "float32";   // float32 | int8: how AdamW's moments are kept
};

/// One stretch of training on a mix of pictures and text.
struct PhaseOptions {
  std::optional<DataOptions> pictures;
  std::optional<DataOptions> text;
  ShareCurve text_share;                     // needs both; default with both: constant 0.5
  double epochs = 1.0;                       // passes over `pictures` (over `text` when alone)
  int64_t max_steps = 0;                     // optimizer steps instead of epochs; 0 = by epochs
  std::string group_by = "none";             // none | modality_length; the latter of `pictures` alone
  std::optional<std::string> template_name;  // default: the model's
  // A warm-up's phase may have its own; 0 = the section's.
  int64_t batch_size = 0;
  double lr = 0.0;
  double projector_lr = 0.0;
};

/// Batches, checkpoints and memory of a training loop.
struct LoopOptions {
  int64_t batch_size = 32;       // samples per optimizer step
  int64_t micro_batch_size = 8;  // samples per forward pass
  bool packing = false;          // they lie end to end in one row, instead of padded in rows
  // With packing: tokens up to which rows are filled with samples of the step, however many; 0 =
  // micro_batch_size samples in each.
  int64_t packed_length = 0;
  Checkpointing checkpointing = Checkpointing::none;
  int64_t save_every = 200;  // optimizer steps between checkpoints
  int loader_threads = 2;
};

/// Measured before, every `every` steps, and after.
struct HeldoutOptions {
  std::optional<DataOptions> text;
  std::optional<DataOptions> pictures;
  int64_t every = 0;  // optimizer steps; 0 = before and after only
};

struct WarmupOptions {
  std::string formula = "qslaw";  // qslaw (docs/method.md)
  int64_t first_layer = 6;        // decoder blocks below it keep gamma = 1
  std::filesystem::path start;    // gamma to begin with; empty: 1
  bool train_projector = true;
  OptimizerOptions optimizer{.lr = 2e-3, .projector_lr = 2e-3};
  std::vector<PhaseOptions> phases;  // none: `start` is folded as it is
  LoopOptions loop;
  HeldoutOptions heldout;
};

struct TuneOptions {
  std::string method = "lora";  // lora | full | projector
  LoraOptions lora;
  bool train_vision = false;    // full only
  bool train_projector = true;  // lora and full
  OptimizerOptions optimizer;
  PhaseOptions phase;  // data, text, text_share, epochs, max_steps of the section itself
  LoopOptions loop;
  HeldoutOptions heldout;
};

/// Samples per optimizer step of a phase: its own number, or the section's.
int64_t phase_batch_size(const PhaseOptions& phase, const LoopOptions& loop);

/// `draws` rounded up. KeyError at `key`, which asks for them, when they are more than kMaxDraws.
int64_t draw_count(double draws, const std::string& key);

/// UserError for values out of range or keys that contradict each other.
void check(const WarmupOptions& options);
void check(const TuneOptions& options);

}  // namespace qslaw
