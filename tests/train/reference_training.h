// The training loop restated in plain operators and float64: one sample at a time, textbook AdamW.
#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace qslaw {

class ReferenceTraining {
 public:
  double eps = 1e-5, theta = 10000.0;
  int64_t heads = 2, head_size = 4, layers = 2;
  double lr = 0.0, weight_decay = 0.0, max_grad_norm = 0.0;

  explicit ReferenceTraining(const std::vector<std::pair<std::string, at::Tensor>>& start) {
    for (const auto& [name, tensor] : start) {
      p_[name] = tensor.to(at::kDouble).clone().requires_grad_(true);
    }
    forget_moments();
  }

  void forget_moments() {
    updates_ = 0;
    for (const auto& [name, tensor] : p_) {
      first_[name] = at::zeros_like(tensor.detach());
      second_[name] = at::zeros_like(tensor.detach());
    }
  }

  /// One step at rate lr * factor over micro-batches of samples. Returns the gradient's norm before clipping.
  double step(const std::vector<std::vector<Sample>>& micro_batches, double factor) {
    for (const auto& samples : micro_batches) {
      const at::Tensor loss = mean_nll(samples) / static_cast<double>(micro_batches.size());
      torch::autograd::backward({loss}, {});
    }
    at::NoGradGuard no_grad;
    double squares = 0.0;
    for (const auto& [name, tensor] : p_)
      squares += tensor.grad().square().sum().item<double>();
    const double norm = std::sqrt(squares);
    // As torch.nn.utils.clip_grad_norm_ does it.
    const double shrink = max_grad_norm > 0 && norm > max_grad_norm ? max_grad_norm / (norm + 1e-6) : 1.0;
    ++updates_;
    for (auto& [name, tensor] : p_) {
      adamw(name, tensor, tensor.grad() * shrink, lr * factor);
      tensor.mutable_grad() = at::Tensor();
    }
    return norm;
  }

  /// Sum of the negative log likelihoods of the samples' learned tokens over their number.
  at::Tensor mean_nll(const std::vector<Sample>& samples) const {
    at::Tensor sum = at::zeros({}, at::kDouble);
    int64_t count = 0;
    for (const Sample& sample : samples) {
      const at::Tensor log_p = at::log_softmax(logits(sample.ids), -1);
      for (size_t t = 1; t < sample.labels.size(); ++t) {
        if (sample.labels[t] == kIgnoreLabel) continue;
        sum = sum - log_p[static_cast<int64_t>(t) - 1][sample.labels[t]];
        ++count;
      }
    }
    return sum / static_cast<double>(count);
  }

  const std::map<std::string, at::Tensor>& parameters() const { return p_; }

 private:
  // Loshchilov and Hutter, algorithm 2, with the usual constants.
  void adamw(const std::string& name, at::Tensor& tensor, const at::Tensor& gradient, double rate) {
    const double decay = tensor.dim() == 1 ? 0.0 : weight_decay;
    first_[name] = 0.9 * first_[name] + 0.1 * gradient;
    second_[name] = 0.999 * second_[name] + 0.001 * gradient * gradient;
    const at::Tensor m = first_[name] / (1.0 - std::pow(0.9, updates_));
    const at::Tensor v = second_[name] / (1.0 - std::pow(0.999, updates_));
    tensor.copy_(tensor - rate * (m / (v.sqrt() + 1e-8) + decay * tensor));
  }

  at::Tensor weight(int64_t layer, const std::string& name) const {
    return p_.at("language_model.model.layers." + std::to_string(layer) + "." + name + ".weight");
  }

  at::Tensor normalized(const at::Tensor& x_TD, const at::Tensor& scale) const {
    return x_TD / ((x_TD * x_TD).mean(-1, true) + eps).sqrt() * scale;
  }

  // Pairs (i, i + S/2) of a head turned by t * theta^(-2i/S), entry by entry.
  at::Tensor rotated(const at::Tensor& x_TS) const {
    std::vector<at::Tensor> columns(static_cast<size_t>(head_size));
    const at::Tensor t = at::arange(x_TS.size(0), at::kDouble);
    for (int64_t i = 0; i < head_size / 2; ++i) {
      const at::Tensor angle =
          t * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_size));
      const at::Tensor a = x_TS.select(1, i), b = x_TS.select(1, i + head_size / 2);
      columns[static_cast<size_t>(i)] = a * angle.cos() - b * angle.sin();
      columns[static_cast<size_t>(i + head_size / 2)] = b * angle.cos() + a * angle.sin();
    }
    return at::stack(columns, 1);
  }

  // Both query heads look at the one key/value head.
  at::Tensor attention(int64_t layer, const at::Tensor& x_TD) const {
    const at::Tensor q = x_TD.mm(weight(layer, "self_attn.q_proj").t());
    const at::Tensor k = rotated(x_TD.mm(weight(layer, "self_attn.k_proj").t()));
    const at::Tensor v = x_TD.mm(weight(layer, "self_attn.v_proj").t());
    const at::Tensor later = at::ones({x_TD.size(0), x_TD.size(0)}, at::kBool).triu(1);
    std::vector<at::Tensor> out;
    for (int64_t h = 0; h < heads; ++h) {
      const at::Tensor scores =
          rotated(q.narrow(1, h * head_size, head_size)).mm(k.t()) / std::sqrt(double(head_size));
      out.push_back(at::softmax(scores.masked_fill(later, -1e300), -1).mm(v));
    }
    return at::cat(out, 1).mm(weight(layer, "self_attn.o_proj").t());
  }

  at::Tensor logits(const std::vector<int64_t>& ids) const {
    at::Tensor x = p_.at("language_model.model.embed_tokens.weight").index_select(0, at::tensor(ids));
    for (int64_t layer = 0; layer < layers; ++layer) {
      x = x + attention(layer, normalized(x, weight(layer, "input_layernorm")));
      const at::Tensor y = normalized(x, weight(layer, "post_attention_layernorm"));
      const at::Tensor gate = y.mm(weight(layer, "mlp.gate_proj").t());
      const at::Tensor inner = gate / (1.0 + (-gate).exp()) * y.mm(weight(layer, "mlp.up_proj").t());
      x = x + inner.mm(weight(layer, "mlp.down_proj").t());
    }
    return normalized(x, p_.at("language_model.model.norm.weight"))
        .mm(p_.at("language_model.lm_head.weight").t());
  }

  std::map<std::string, at::Tensor> p_, first_, second_;
  int updates_ = 0;
};

}  // namespace qslaw
