// A training step's operators with their gradients, and the optimizers.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "bench/memory_rates.h"
#include "kernels/adamw.h"
#include "kernels/cuda_call.h"
#include "kernels/dropout.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/swiglu.h"

namespace qslaw::bench {
namespace {

// A result whose gradients can be asked for again and again.
struct Recorded {
  at::Tensor y, dY;
  std::vector<at::Tensor> leaves;

  void backward() const { torch::autograd::grad({y}, leaves, {dY}, /*retain_graph=*/true); }
};

using Operator = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

// Times an operator and its gradient in the inputs `trained`. All tensors are bfloat16.
class OperatorRates {
 public:
  OperatorRates(const Setting& setting, MemoryRates& rates, std::vector<std::vector<int64_t>> shapes,
                Operator fn)
      : setting_(setting), rates_(rates), fn_(std::move(fn)), shapes_(std::move(shapes)) {
    int64_t bytes = 0;
    for (const auto& shape : shapes_)
      bytes += 2 * c10::multiply_integers(shape);
    inputs_ = make_copies(setting, bytes, [&] { return make_inputs(); });
  }

  void forward(const std::string& name, int64_t bytes) {
    at::NoGradGuard no_grad;
    rates_.add(name, about(), bytes, [&](int64_t call) { fn_(in_turn(inputs_, call)); });
  }

  void gradient(const std::string& name, int64_t bytes, const std::vector<size_t>& trained) {
    at::AutoGradMode recording(true);
    std::vector<Recorded> recorded;
    for (const auto& inputs : inputs_)
      recorded.push_back(record(inputs, trained));
    rates_.add(name, about(), bytes, [&](int64_t call) { in_turn(recorded, call).backward(); });
  }

 private:
  std::vector<at::Tensor> make_inputs() const {
    std::vector<at::Tensor> inputs;
    for (const auto& shape : shapes_)
      inputs.push_back(at::randn(shape, at::TensorOptions(setting_.device).dtype(at::kBFloat16)));
    return inputs;
  }

  Recorded record(std::vector<at::Tensor> inputs, const std::vector<size_t>& trained) const {
    Recorded r;
    for (const size_t i : trained) {
      inputs[i] = inputs[i].detach().requires_grad_(true);
      r.leaves.push_back(inputs[i]);
    }
    r.y = fn_(inputs);
    r.dY = at::randn_like(r.y.detach());  // in y's own order of memory
    return r;
  }

  nlohmann::json about() const {
    return {{"rows", c10::multiply_integers(shapes_[0]) / shapes_[0].back()}, {"columns", shapes_[0].back()}};
  }

  const Setting& setting_;
  MemoryRates& rates_;
  Operator fn_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<std::vector<at::Tensor>> inputs_;
};

void add_norms(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t M = activation_tokens(setting), D = shape.width, x = M * D * 2, extra = M * 4 + D * 2;
  OperatorRates norm(setting, rates, {{M, D}, {D}},
                     [](const auto& in) { return rms_norm(in[0], in[1], 1e-6); });
  norm.forward("rms_norm", 2 * x + extra);
  norm.gradient("rms_norm_gradient", 3 * x + extra, {0});
  norm.gradient("rms_norm_weight_gradient", 2 * x + extra, {1});
  OperatorRates sum(setting, rates, {{M, D}, {M, D}, {D}},
                    [](const auto& in) { return add_rms_norm(in[0], in[1], in[2], 1e-6).norm; });
  sum.forward("add_rms_norm", 4 * x + D * 2);
}

void add_rotation(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t M = activation_tokens(setting), D = shape.heads * shape.head_size, S = shape.head_size;
  const int64_t B = setting.small ? 2 : 4, T = M / B;
  const at::Tensor angles = at::rand({T, S / 2}, at::TensorOptions(setting.device)).repeat({1, 2});
  const at::Tensor cos = angles.cos().to(at::kBFloat16), sin = angles.sin().to(at::kBFloat16);
  OperatorRates rotation(setting, rates, {{B, T, D}},
                         [&](const auto& in) { return rotate_heads(in[0], shape.heads, cos, sin); });
  const int64_t bytes = 2 * M * D * 2 + bytes_of({cos, sin});
  rotation.forward("rotate_heads", bytes);
  rotation.gradient("rotate_heads_gradient", bytes, {0});
}

void add_gate(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t M = activation_tokens(setting), F = shape.ffn, x = M * F * 2;
  OperatorRates gate(setting, rates, {{M, F}, {M, F}}, [](const auto& in) { return swiglu(in[0], in[1]); });
  gate.forward("swiglu", 3 * x);
  gate.gradient("swiglu_gradient", 5 * x, {0, 1});
}

void add_drops(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t M = activation_tokens(setting), D = shape.width, x = M * D * 2;
  constexpr double kRate = 0.05;
  OperatorRates(setting, rates, {{M, D}}, [](const auto& in) {
    return qslaw::dropout(in[0], kRate, 1);
  }).forward("dropout", 2 * x);
  OperatorRates(setting, rates, {{M, D}, {M, D}}, [](const auto& in) {
    at::Tensor sum = in[1];
    add_dropout(sum, in[0], kRate, 1);
    return sum;
  }).forward("add_dropout", 3 * x);
}

}  // namespace

void add_step_operators(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  add_norms(setting, shape, rates);
  add_rotation(setting, shape, rates);
  add_gate(setting, shape, rates);
  add_drops(setting, shape, rates);
}

// Past linear_cross_entropy, whose products with the head take most of its time: CUDA's table has the kernels
// alone.
void add_token_losses(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  if (setting.device.is_cpu()) return;
  const int64_t M = 512, V = shape.vocab, logit_bytes = M * V * 2;
  const auto chunks = make_copies(setting, logit_bytes, [&] {
    return at::randn({M, V}, at::TensorOptions(setting.device).dtype(at::kBFloat16));
  });
  const auto options = at::TensorOptions(setting.device);
  const at::Tensor targets = at::randint(0, V, {M}, options.dtype(at::kLong));
  const at::Tensor scale = at::ones({M}, options), nll = at::empty({M}, options);
  const auto loss = [&](int64_t call, const float* gradient_scale) {
    at::Tensor logits = in_turn(chunks, call);
    cuda_call(logits, "token_loss", [&](const CudaKernels& kernels, void* stream) {
      return kernels.token_loss(cuda_output(logits), targets.const_data_ptr<int64_t>(), {M, V},
                                gradient_scale, nll.data_ptr<float>(), stream);
    });
  };
  const nlohmann::json about = {{"rows", M}, {"columns", V}};
  rates.add("token_loss", about, logit_bytes, [&](int64_t call) { loss(call, nullptr); });
  const float* ones = scale.const_data_ptr<float>();
  rates.add("token_loss_gradient", about, 2 * logit_bytes, [&](int64_t call) { loss(call, ones); });
}

void add_optimizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates) {
  const int64_t N = shape.ffn, K = shape.width;
  const auto options = at::TensorOptions(setting.device);
  for (const bool int8 : {false, true}) {
    at::Tensor parameter = at::randn({N, K}, options);
    const at::Tensor gradient = at::randn({N, K}, options);
    AdamWOptions adamw;
    adamw.int8_states = int8;
    AdamW optimizer({parameter}, adamw);
    // Parameter and moments are read and written, the gradient is read.
    const int64_t bytes = 3 * bytes_of({parameter}) + 2 * optimizer.state_bytes();
    rates.add(int8 ? "adamw_int8" : "adamw_float32", {{"rows", N}, {"columns", K}}, bytes, [&](int64_t) {
      parameter.mutable_grad() = gradient;
      optimizer.step(1e-4);
    });
  }
}

}  // namespace qslaw::bench
