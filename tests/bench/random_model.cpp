#include "bench/random_model.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "packed_case.h"
#include "quant/normal_float.h"
#include "quant/packed_linear.h"

namespace qslaw::bench {

LanguageConfig language_shape(const std::string& model) {
  LanguageConfig c;  // LLaMA-7B
  if (model == "13b") c.width = 5120, c.ffn = 13824, c.layers = 40, c.heads = c.kv_heads = 40;
  if (model == "small")
    c.vocab = 64, c.width = 128, c.ffn = 256, c.layers = 2, c.heads = c.kv_heads = 2, c.head_size = 64;
  return c;
}

std::vector<std::string> model_names(const Setting& setting) {
  if (setting.small) return {"small"};
  return {"7b", "13b"};
}

AbsmaxCodes random_absmax(at::IntArrayRef blocks, at::Device device) {
  const auto options = at::TensorOptions().device(device);
  const int64_t count = c10::multiply_integers(blocks);
  return {at::randint(0, 256, blocks, options).to(at::kByte),
          at::rand({(count + kAbsmaxBlock - 1) / kAbsmaxBlock}, options), at::rand({1}, options),
          at::linspace(-1, 1, 256, options)};
}

at::Tensor random_weight(int64_t rows, int64_t columns, at::Device device) {
  return at::randn({rows, columns}, at::TensorOptions(device).dtype(at::kBFloat16)).mul_(0.02);
}

std::shared_ptr<PackedWeight> random_packed(int64_t rows, int64_t columns, const PackedFormat& format,
                                            at::Device device) {
  const at::Tensor weight = random_weight(rows, columns, device);
  if (format.kind == CodeKind::uniform)
    return std::make_shared<PackedWeight>(pack(weight, format.bits, format.group_size));
  const NormalFloatCodes found = normal_float_quantize(weight, format.bits);
  auto packed = std::make_shared<PackedWeight>();
  packed->kind = CodeKind::normal_float;
  packed->bits = format.bits;
  packed->group_size = format.group_size;
  packed->codes = found.codes;
  packed->absmax = random_absmax(found.absmax.sizes(), device);
  packed->table = normal_float_table(format.bits).to(device);
  return packed;
}

MakeLinear packed_linears(at::Device device, int bits) {
  return [=](const LinearSpec& spec) {
    return std::make_unique<PackedLinear>(
        random_packed(spec.rows, spec.columns, {CodeKind::uniform, bits}, device));
  };
}

MakeLinear dense_linears(at::Device device, at::ScalarType dtype) {
  return [=](const LinearSpec& spec) {
    return std::make_unique<DenseLinear>(random_weight(spec.rows, spec.columns, device).to(dtype));
  };
}

Llava make_decoder(const LanguageConfig& config, at::Device device, const MakeLinear& make) {
  Llava model;
  model.config.language = config;
  model.dtype = at::kBFloat16;
  model.device = device;
  Llama& language = model.language;
  const at::Tensor ones = at::ones({config.width}, at::TensorOptions(device).dtype(at::kBFloat16));
  language.config = config;
  language.embedding_VD = random_weight(config.vocab, config.width, device);
  language.head_VD = random_weight(config.vocab, config.width, device);
  language.norm_D = ones;
  language.rope_frequencies = rope_frequencies(config.rope, config.head_size).to(device);
  const auto specs = linear_specs(config);
  size_t next = 0;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    LlamaBlock block;
    block.input_norm_D = block.post_norm_D = ones;
    for (auto& [name, linear] : block_linears(block))
      *linear = make(specs[next++]);
    language.blocks.push_back(std::move(block));
  }
  return model;
}

Batch text_batch(const LanguageConfig& config, int64_t batch, int64_t tokens) {
  Batch made;
  made.ids_BT = at::randint(3, config.vocab, {batch, tokens}, at::kLong);
  made.labels_BT = made.ids_BT;
  made.lengths_B = at::full({batch}, tokens, at::kLong);
  return made;
}

int64_t multiplied_weights(const LanguageConfig& config) {
  int64_t weights = config.vocab * config.width;
  for (const LinearSpec& spec : linear_specs(config))
    weights += spec.rows * spec.columns;
  return weights;
}

}  // namespace qslaw::bench
