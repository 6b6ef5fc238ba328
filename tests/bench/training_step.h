// One kind of training step timed, with its memory and its products.
#pragma once
#include "bench/measure.h"
#include "bench/random_model.h"
#include "bench/report.h"
#include "model/checkpointing.h"
#include "train/parameters.h"

namespace qslaw::bench {

struct StepCase {
  const Setting& setting;
  Report& report;
  std::string model;  // name of its shapes
  LanguageConfig config;
  int64_t tokens;  // one sequence: a micro-batch of 1
  int64_t rank;    // of LoRA
};

struct StepCost {
  double seconds = 0.0;
  // Peaks on the device, weights and states included; 0 on the CPU.
  int64_t tensor_bytes = 0;    // in tensors
  int64_t reserved_bytes = 0;  // held by LibTorch's allocator, which is what nvidia-smi sees of it
};

struct StepKind {
  std::string name;
  Checkpointing checkpointing = Checkpointing::block;
  bool int8_states = false;
  double flops_per_token = 0.0;  // 0: not counted
};

/// "none" or "block".
std::string checkpointing_name(Checkpointing checkpointing);

/// Products of a token, twice each: forward, the gradient of the inputs, and for full tuning that of the
/// weights; attention's, of which causality leaves half; LoRA's own. What checkpointing computes again does
/// not count.
double lora_flops(const StepCase& c);
double full_flops(const StepCase& c);

std::vector<at::Tensor> tensors_of(const ParameterGroup& group);

/// Forward, backward and update as the trainer does them. Reports the result.
StepCost time_training(const StepCase& c, const StepKind& kind, const Llava& model,
                       const std::vector<at::Tensor>& leaves);

/// Full tuning with float32 weights and gradients: with float32 moments where the device holds all, else
/// moments of 8 bits, else with as many layers as it holds, and by the difference to half of them what all
/// would take ("estimated").
StepCost time_full_tuning(const StepCase& c);

}  // namespace qslaw::bench
