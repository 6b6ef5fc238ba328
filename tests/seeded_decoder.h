// A decoder of random weights that are the same on every device: what tests on a GPU compare with the CPU.
#pragma once
#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <memory>

#include "decoder_blocks.h"
#include "model/llava.h"
#include "model/random_tensor.h"

namespace qslaw {

/// Two blocks, two query heads per key/value head, an untied output head; text only. Inputs of every linear
/// fill whole groups of 32.
inline LanguageConfig seeded_decoder_config() {
  LanguageConfig config;
  config.vocab = 61;
  config.width = 64;
  config.ffn = 96;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_size = 16;
  config.rms_eps = 1e-5;
  return config;
}

/// `weight_NK`: float32, on the CPU.
using MakeSeededLinear =
    std::function<std::unique_ptr<Linear>(const LinearSpec& spec, const at::Tensor& weight_NK)>;

inline MakeSeededLinear seeded_dense_linears(at::Device device, at::ScalarType dtype = at::kFloat) {
  return [=](const LinearSpec&, const at::Tensor& weight_NK) {
    return std::make_unique<DenseLinear>(weight_NK.to(device, dtype));
  };
}

inline Llava seeded_decoder(at::Device device, const MakeSeededLinear& make,
                            at::ScalarType dtype = at::kFloat) {
  Llava model;
  const LanguageConfig config = seeded_decoder_config();
  model.config.language = config;
  model.dtype = dtype;
  model.device = device;
  uint64_t seed = 100;
  const auto random = [&](const std::vector<int64_t>& shape, double deviation) {
    return random_normal(shape, deviation, ++seed);
  };
  const auto placed = [&](const at::Tensor& tensor) { return tensor.to(device, dtype); };
  const auto norm = [&] { return placed(1.0 + random({config.width}, 0.2)); };
  Llama& language = model.language;
  language.config = config;
  language.embedding_VD = placed(random({config.vocab, config.width}, 1.0));
  language.blocks = make_blocks(config, norm, [&](const LinearSpec& spec) {
    const double deviation = 1.0 / std::sqrt(static_cast<double>(spec.columns));  // as large as their inputs
    return make(spec, random({spec.rows, spec.columns}, deviation));
  });
  language.norm_D = norm();
  language.head_VD = placed(random({config.vocab, config.width}, 0.3));
  language.rope_frequencies = rope_frequencies(config.rope, config.head_size).to(device);
  return model;
}

}  // namespace qslaw
