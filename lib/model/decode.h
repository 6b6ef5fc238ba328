// Next-token logits over a key-value cache: of whole prompts, then token by token.
#pragma once
#include <cstdint>

#include "kernels/cuda_graph.h"
#include "model/llava.h"

namespace qslaw {

/// Next-token logits [B, V] of the prompts, filling `cache`. Throws Stopped, as does decode_step, between two
/// decoder blocks.
at::Tensor prefill(const Llava& model, const Batch& prompts, KvCache& cache);

/// Next-token logits [B, V] after one more token per row.
at::Tensor decode_step(const Llava& model, const at::Tensor& tokens_B, KvCache& cache);

/// decode_step, one after the other. On CUDA a step is a dozen kernels per block, each of which takes the GPU
/// less time than the host needs to queue it. So after a few steps the next one is recorded (cuda_graph.h)
/// and all further ones replay it; where that fails, a warning says why and steps go on as before. Model and
/// cache, which prefill has filled and nobody else may change meanwhile, must outlive it.
class DecodeStepper {
 public:
  /// Steps that are not replayed: for so few more, recording would not pay.
  static constexpr int64_t kEagerSteps = 3;

  DecodeStepper(const Llava& model, KvCache& cache);

  /// Next-token logits [B, V] after one more token per row: valid until the next step. Throws Stopped.
  at::Tensor step(const at::Tensor& tokens_B);

  /// Whether steps are replayed by now.
  bool replays() const { return graph_.is_recorded(); }

 private:
  void record(const at::Tensor& x_B1D);

  const Llava& model_;
  KvCache& cache_;
  bool may_record_;
  int64_t steps_ = 0;
  at::Tensor x_B1D_, logits_BV_;  // where a replay reads and writes
  CudaGraph graph_;
};

}  // namespace qslaw
