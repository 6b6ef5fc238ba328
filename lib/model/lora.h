// LoRA on top of any linear: y = base(x) + (alpha / rank) * B(A(dropout(x))) (Hu et al. 2021; PEFT's
// initialization).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/llama.h"

namespace qslaw {

struct LoraOptions {
  int64_t rank = 64;
  double alpha = 16.0;
  double dropout = 0.05;
};

/// Set before each micro-batch; makes dropout a pure function of (seed, layer), so that checkpointing and
/// resumed runs see the same masks. 0 switches dropout off.
struct DropoutKey {
  uint64_t seed = 0;
};

/// A frozen float32 tensor in the compute dtype, kept from one use to the next: made again where the tensor
/// is another one or LibTorch has written to it since (its version counts; writing through data_ptr does
/// not).
class FrozenCopy {
 public:
  const at::Tensor& of(const at::Tensor& tensor, at::ScalarType dtype);
  int64_t bytes() const;

 private:
  at::Tensor source_, copy_;  // undefined: none yet
  int64_t version_ = 0;       // of source_ when it was copied
};

/// What one pass of an adapter has besides its tensors.
struct LoraPass {
  double scaling;
  double dropout;  // 0: none
  uint64_t seed;   // of its dropout
};

/// The product adds to base(x) in place, and its gradient to that of the base: nothing of the size of x or y
/// is made besides, and x, A x, a bit per masked input and weight_for_both of the base are all that is kept.
class LoraLinear final : public Linear {
 public:
  /// Kaiming-uniform(a = sqrt 5) A [R, K] and zero B [N, R], float32. `key` is shared by all LoRA linears of
  /// a model. The base is frozen: nothing that it may train gets a gradient.
  LoraLinear(std::unique_ptr<Linear> base, const LinearSpec& spec, const LoraOptions& options,
             std::shared_ptr<const DropoutKey> key, uint64_t seed, at::Device device);

  at::Tensor forward(const at::Tensor& x) const override;
  /// The bases' products together, where all have an adapter, then what each of these adds.
  std::vector<at::Tensor> joined_forward(const std::vector<const Linear*>& linears,
                                         const at::Tensor& x) const override;
  /// base + scaling * B A, computed in float32.
  at::Tensor dense_weight(at::ScalarType dtype) const override;
  /// Those of the base, of A and B, and of their copies below.
  int64_t weight_bytes() const override;

  const Linear& base() const { return *base_; }
  const std::string& name() const { return name_; }
  at::Tensor& a_RK() { return a_RK_; }
  at::Tensor& b_NR() { return b_NR_; }

 private:
  LoraPass current_pass() const;
  // Adds to y = base(x) in place, without gradients.
  void adapt(const at::Tensor& x, const at::Tensor& y) const;

  std::unique_ptr<Linear> base_;
  std::string name_;
  at::Tensor a_RK_, b_NR_;
  double scaling_, dropout_;
  uint64_t stream_;
  std::shared_ptr<const DropoutKey> key_;
  // Of A and B in the compute dtype, while neither is trained and no gradient is recorded: a decoded token
  // would otherwise wait for their conversion, which reads three times what its products do.
  mutable FrozenCopy a_copy_, b_copy_;
};

/// Wraps the seven linears of every block. Returns the new layers in linear_specs order; the model owns them.
std::vector<LoraLinear*> attach_lora(Llama& model, const LoraOptions& options,
                                     std::shared_ptr<const DropoutKey> key, uint64_t seed, at::Device device);

/// "model.layers.0.self_attn.q_proj.lora_A" and ".lora_B" per layer.
NamedTensors lora_tensors(const std::vector<LoraLinear*>& layers);

}  // namespace qslaw
