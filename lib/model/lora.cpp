#include "model/lora.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"
#include "model/random_tensor.h"

namespace qslaw {

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

at::Tensor LoraLinear::forward(const at::Tensor& x) const {
  const bool drop = dropout_ > 0 && key_->seed != 0;
  const at::Tensor input = drop ? x * dropout_mask(x, dropout_, mix_seed(key_->seed, stream_)) : x;
  const at::Tensor low = at::linear(input, a_RK_.to(x.scalar_type()));
  return base_->forward(x) + at::linear(low, b_NR_.to(x.scalar_type())) * scaling_;
}

at::Tensor LoraLinear::dense_weight(at::ScalarType dtype) const {
  return (base_->dense_weight(at::kFloat) + scaling_ * at::mm(b_NR_, a_RK_)).to(dtype);
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
