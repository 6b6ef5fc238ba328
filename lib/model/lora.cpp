#include "model/lora.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "kernels/dropout.h"
#include "model/random_tensor.h"

namespace qslaw {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The model owns the base and outlives the backward pass.
struct LoraCall : torch::CustomClassHolder {
  LoraCall(const Linear* base, const LoraPass& pass) : base(base), pass(pass) {}
  const Linear* base;
  LoraPass pass;
};

at::Tensor as_rows(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

// What the product with A gets. Drawn again in the backward pass: that takes less than keeping it.
at::Tensor dropped(const at::Tensor& x, const LoraPass& pass) {
  return pass.dropout > 0 ? dropout(x, pass.dropout, pass.seed) : x;
}

// Adds the adapter's part to y = base(x) in place; returns [M, R], what A makes of x.
at::Tensor add_adapter(const at::Tensor& x, const at::Tensor& a_RK, const at::Tensor& b_NR,
                       const LoraPass& pass, const at::Tensor& y) {
  QSLAW_CHECK(y.is_contiguous());
  at::Tensor low_MR = at::mm(as_rows(dropped(x, pass)), a_RK.to(x.scalar_type()).t());
  as_rows(y).addmm_(low_MR, b_NR.to(x.scalar_type()).t(), 1.0, pass.scaling);
  return low_MR;
}

struct LoraProduct : torch::autograd::Function<LoraProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& a_RK,
                            const at::Tensor& b_NR, const c10::intrusive_ptr<LoraCall>& call) {
    const at::Tensor weight_NK = call->base->weight_for_both(x);
    const at::Tensor y = weight_NK.defined() ? at::linear(x, weight_NK) : call->base->forward(x);
    const at::Tensor low_MR = add_adapter(x, a_RK, b_NR, call->pass, y);
    context->save_for_backward({x, a_RK, b_NR, low_MR, weight_NK});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &a_RK = saved[1], &b_NR = saved[2], &low_MR = saved[3],
                     &weight_NK = saved[4];
    const auto call = c10::static_intrusive_pointer_cast<LoraCall>(context->saved_data["call"].toCapsule());
    const at::Tensor dY_MN = as_rows(gradients[0]);
    const at::Tensor dLow_MR = at::mm(dY_MN, b_NR.to(x.scalar_type())).mul_(call->pass.scaling);
    const at::Tensor dB_NR = at::mm(dY_MN.t(), low_MR).to(b_NR.scalar_type()).mul_(call->pass.scaling);
    const at::Tensor dA_RK = at::mm(dLow_MR.t(), as_rows(dropped(x, call->pass))).to(a_RK.scalar_type());
    at::Tensor dX;
    if (context->needs_input_grad(0)) {
      dX = weight_NK.defined() ? at::matmul(gradients[0], weight_NK)
                               : call->base->input_gradient(gradients[0]);
      add_low_gradient(as_rows(dX), dLow_MR, a_RK.to(x.scalar_type()), call->pass);
    }
    return {dX, dA_RK, dB_NR, {}};
  }

  // dX += dropout(dLow A), without a second tensor of dX's size where nothing is dropped.
  static void add_low_gradient(at::Tensor dX_MK, const at::Tensor& dLow_MR, const at::Tensor& a_RK,
                               const LoraPass& pass) {
    if (pass.dropout > 0) {
      add_dropout(dX_MK, at::mm(dLow_MR, a_RK), pass.dropout, pass.seed);
    } else {
      dX_MK.addmm_(dLow_MR, a_RK);
    }
  }
};

}  // namespace

const at::Tensor& FrozenCopy::of(const at::Tensor& tensor, at::ScalarType dtype) {
  if (tensor.scalar_type() == dtype) return tensor;
  const int64_t version = tensor._version();
  if (!source_.is_same(tensor) || version_ != version || copy_.scalar_type() != dtype) {
    source_ = copy_ = at::Tensor();  // before the next one is there
    copy_ = tensor.to(dtype);
    source_ = tensor;
    version_ = version;
  }
  return copy_;
}

int64_t FrozenCopy::bytes() const {
  return copy_.defined() ? static_cast<int64_t>(copy_.nbytes()) : 0;
}

LoraLinear::LoraLinear(std::unique_ptr<Linear> base, const LinearSpec& spec, const LoraOptions& options,
                       std::shared_ptr<const DropoutKey> key, uint64_t seed, at::Device device)
    : base_(std::move(base)),
      name_(spec.name),
      scaling_(options.alpha / static_cast<double>(options.rank)),
      dropout_(options.dropout),
      stream_(hash_text(spec.name)),
      key_(std::move(key)) {
  // Kaiming-uniform with a = sqrt 5 has the bound sqrt(6 / ((1 + 5) * inputs)) = 1 / sqrt(inputs).
  const double bound = 1.0 / std::sqrt(static_cast<double>(spec.columns));
  a_RK_ = random_uniform({options.rank, spec.columns}, bound, mix_seed(seed, stream_)).to(device);
  b_NR_ = at::zeros({spec.rows, options.rank}, at::TensorOptions().dtype(at::kFloat).device(device));
}

LoraPass LoraLinear::current_pass() const {
  const bool drop = dropout_ > 0 && key_->seed != 0;
  return {scaling_, drop ? dropout_ : 0.0, drop ? mix_seed(key_->seed, stream_) : 0};
}

void LoraLinear::adapt(const at::Tensor& x, const at::Tensor& y) const {
  const LoraPass pass = current_pass();
  // What is trained is not kept: optimizers write past LibTorch's versions.
  if (a_RK_.requires_grad() || b_NR_.requires_grad()) {
    add_adapter(x, a_RK_, b_NR_, pass, y);
  } else {
    add_adapter(x, a_copy_.of(a_RK_, x.scalar_type()), b_copy_.of(b_NR_, x.scalar_type()), pass, y);
  }
}

at::Tensor LoraLinear::forward(const at::Tensor& x) const {
  if (at::GradMode::is_enabled()) {
    return LoraProduct::apply(x, a_RK_, b_NR_, c10::make_intrusive<LoraCall>(base_.get(), current_pass()));
  }
  at::Tensor y = base_->forward(x);
  adapt(x, y);
  return y;
}

std::vector<at::Tensor> LoraLinear::joined_forward(const std::vector<const Linear*>& linears,
                                                   const at::Tensor& x) const {
  std::vector<const LoraLinear*> adapters;
  std::vector<const Linear*> bases;
  for (const Linear* linear : linears) {
    const auto* adapter = dynamic_cast<const LoraLinear*>(linear);
    if (!adapter) return Linear::joined_forward(linears, x);
    adapters.push_back(adapter);
    bases.push_back(&adapter->base());
  }
  std::vector<at::Tensor> results = bases.front()->joined_forward(bases, x);
  for (size_t i = 0; i < results.size(); ++i)
    adapters[i]->adapt(x, results[i]);
  return results;
}

at::Tensor LoraLinear::dense_weight(at::ScalarType dtype) const {
  return (base_->dense_weight(at::kFloat) + scaling_ * at::mm(b_NR_, a_RK_)).to(dtype);
}

int64_t LoraLinear::weight_bytes() const {
  const auto adapter = static_cast<int64_t>(a_RK_.nbytes() + b_NR_.nbytes());
  return base_->weight_bytes() + adapter + a_copy_.bytes() + b_copy_.bytes();
}

std::vector<LoraLinear*> attach_lora(Llama& model, const LoraOptions& options,
                                     std::shared_ptr<const DropoutKey> key, uint64_t seed,
                                     at::Device device) {
  std::vector<LoraLinear*> layers;
  const auto specs = linear_specs(model.config);
  size_t next = 0;
  for (LlamaBlock& block : model.blocks) {
    for (auto& [name, linear] : block_linears(block)) {
      auto wrapped =
          std::make_unique<LoraLinear>(std::move(*linear), specs[next++], options, key, seed, device);
      layers.push_back(wrapped.get());
      *linear = std::move(wrapped);
    }
  }
  return layers;
}

NamedTensors lora_tensors(const std::vector<LoraLinear*>& layers) {
  NamedTensors named;
  for (LoraLinear* layer : layers) {
    named.push_back({layer->name() + ".lora_A", layer->a_RK()});
    named.push_back({layer->name() + ".lora_B", layer->b_NR()});
  }
  return named;
}

}  // namespace qslaw
