// The seam `Linear`: what the decoder knows of its weights. Dense here; packed and scale-learning versions in
// lib/quant; LoRA wraps any of them.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace qslaw {

/// Which linear of the decoder.
struct LinearSpec {
  std::string name;     // "model.layers.3.mlp.up_proj", whatever the file calls it
  int64_t layer = 0;    // decoder block
  int64_t rows = 0;     // N, outputs
  int64_t columns = 0;  // K, inputs
};

/// y = x W' without bias, W being [N, K].
class Linear {
 public:
  virtual ~Linear() = default;
  /// x: [..., K] in the compute dtype; returns [..., N] in the same dtype, contiguous memory of its own (LoRA
  /// adds to it in place). Differentiable in x and in whatever the implementation trains.
  virtual at::Tensor forward(const at::Tensor& x) const = 0;
  /// What forward_together does without gradients on CUDA: forward(x) of each of `linears`, this one first,
  /// with the same bits. Here one after the other; overridden where kernels can be shared.
  virtual std::vector<at::Tensor> joined_forward(const std::vector<const Linear*>& linears,
                                                 const at::Tensor& x) const;
  /// dL/dx [..., K] from dL/dy [..., N], for a caller that does not go through autograd. A new contiguous
  /// tensor.
  virtual at::Tensor input_gradient(const at::Tensor& dY) const;
  /// W [N, K] in x's dtype, where forward(x) and input_gradient would each make it and making it once pays
  /// (BackwardFollows in checkpointing.h): the caller keeps it from the one to the other and takes
  /// at::linear(x, W) and at::matmul(dY, W) in their place, which have the same bits. Undefined elsewhere.
  virtual at::Tensor weight_for_both(const at::Tensor& x) const;
  /// The weight that `forward` multiplies with, [N, K] in `dtype`.
  virtual at::Tensor dense_weight(at::ScalarType dtype) const = 0;
  /// Bytes that its weights take, trained ones included.
  virtual int64_t weight_bytes() const = 0;
};

/// forward(x) of each, at least one. Without gradients on CUDA, where a decoded token waits for every launch,
/// those of one kind may share kernels (joined_forward); same bits as one after the other.
std::vector<at::Tensor> forward_together(const std::vector<const Linear*>& linears, const at::Tensor& x);

/// Makes one linear at load time. `read_weight` gives the checkpoint's [N, K] weight (zero copy, file dtype)
/// and is called only by implementations that need it, so a packed layer and its 16-bit weights never
/// coexist.
using LinearMaker = std::function<std::unique_ptr<Linear>(const LinearSpec& spec,
                                                          const std::function<at::Tensor()>& read_weight)>;

/// A weight kept in one dtype; cast to x's dtype on use (so a float32 master can be trained under bfloat16
/// compute).
class DenseLinear final : public Linear {
 public:
  explicit DenseLinear(at::Tensor weight_NK) : weight_NK_(std::move(weight_NK)) {}
  at::Tensor forward(const at::Tensor& x) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override;
  int64_t weight_bytes() const override;
  at::Tensor& weight() { return weight_NK_; }

 private:
  at::Tensor weight_NK_;
};

/// Copies each weight to `dtype` on `device`.
LinearMaker dense_maker(at::ScalarType dtype, at::Device device);

}  // namespace qslaw
