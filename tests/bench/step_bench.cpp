// Whole steps at full sizes: LoRA on packed and on 16-bit weights, scale learning, decoding.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "bench/measure.h"
#include "bench/random_linear.h"
#include "kernels/adamw.h"
#include "kernels/device_memory.h"
#include "model/generate.h"
#include "train/parameters.h"

namespace qslaw::bench {
namespace {

constexpr int kBits = 4;

struct Size {
  LanguageConfig config;
  int64_t batch, tokens, rank;
};

Size size_of(const std::string& model, bool small) {
  Size size;
  size.batch = small ? 1 : 2, size.tokens = small ? 16 : 2048, size.rank = small ? 4 : 64;
  LanguageConfig& c = size.config;
  if (model == "13b") c.width = 5120, c.ffn = 13824, c.layers = 40, c.heads = c.kv_heads = 40;
  if (small)
    c.vocab = 64, c.width = 128, c.ffn = 256, c.layers = 2, c.heads = c.kv_heads = 2, c.head_size = 64;
  return size;
}

using MakeLinear = std::function<std::unique_ptr<Linear>(const LinearSpec& spec)>;

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

Batch text_batch(const Size& size) {
  Batch batch;
  batch.ids_BT = at::randint(3, size.config.vocab, {size.batch, size.tokens}, at::kLong);
  batch.labels_BT = batch.ids_BT;
  batch.lengths_B = at::full({size.batch}, size.tokens, at::kLong);
  return batch;
}

// Forward, backward and update as the trainer does them, blocks computed again in the backward pass.
nlohmann::json time_training(const std::string& name, const Setting& setting, const Size& size,
                             const Llava& model, const ParameterGroup& group) {
  std::vector<at::Tensor> leaves;
  for (const auto& [tensor_name, tensor] : group.tensors)
    leaves.push_back(tensor);
  AdamW optimizer(leaves, {});
  const Batch batch = text_batch(size);
  reset_peak_device_bytes(setting.device);
  const Timing timing = time_steps(setting.device, setting.small ? 2 : 5, [&] {
    const at::Tensor loss = token_losses(model, batch, {Checkpointing::block, false}).nll_M.mean();
    torch::autograd::backward({loss}, {});
    optimizer.step(1e-4);
  });
  nlohmann::json entry = result(name, timing);
  const int64_t tokens = size.batch * size.tokens;
  entry.update({{"tokens", tokens},
                {"tokens_per_second", static_cast<double>(tokens) / timing.median},
                {"peak_device_bytes", peak_device_bytes(setting.device)}});
  return entry;
}

nlohmann::json time_lora(const std::string& name, const Setting& setting, const Size& size,
                         const MakeLinear& make) {
  Llava model = make_decoder(size.config, setting.device, make);
  const auto layers =
      attach_lora(model.language, {size.rank, 16.0, 0.0}, std::make_shared<DropoutKey>(), 1, setting.device);
  return time_training(name, setting, size, model, lora_group(layers, 1e-4, 0.0));
}

nlohmann::json time_scales(const Setting& setting, const Size& size) {
  ParameterGroup group;
  const Llava model = make_decoder(size.config, setting.device, [&](const LinearSpec& spec) {
    const at::Tensor weight = random_weight(spec.rows, spec.columns, setting.device);
    const GroupGrid grid = grid_from_range(group_range(weight, kGroupColumns), kBits);
    auto linear = std::make_unique<ScaleLinear>(spec, weight, grid, kBits);
    make_trainable(linear->gamma());
    group.tensors.emplace_back(spec.name, linear->gamma());
    return linear;
  });
  return time_training("scale_step", setting, size, model, group);
}

// Tokens one by one for so many sequences, behind a prompt and the steps that are not replayed.
nlohmann::json time_decode(const std::string& name, const Setting& setting, const Llava& model,
                           int64_t sequences) {
  constexpr int64_t kCalls = 4;
  at::NoGradGuard no_grad;
  const LanguageConfig& config = model.language.config;
  const int64_t prompt = setting.small ? 8 : 256, steps = setting.small ? 4 : 64;
  KvCache cache(config, sequences, prompt + DecodeStepper::kEagerSteps + kCalls * steps,
                at::TensorOptions(setting.device).dtype(model.dtype));
  at::Tensor logits = prefill(model, text_batch({config, sequences, prompt, 0}), cache);
  DecodeStepper stepper(model, cache);
  const auto decode = [&](int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      logits = stepper.step(logits.argmax(-1));
  };
  decode(DecodeStepper::kEagerSteps);
  const Timing timing = time_steps(setting.device, kCalls, [&] { decode(steps); });
  nlohmann::json entry = result(name, timing);
  entry.update({{"sequences", sequences},
                {"prompt_tokens", prompt},
                {"new_tokens", steps},
                {"replayed", stepper.replays()},
                {"new_tokens_per_second", static_cast<double>(sequences * steps) / timing.median}});
  return entry;
}

void add_decodes(const std::string& name, const Setting& setting, const Size& size, const MakeLinear& make,
                 nlohmann::json& results) {
  const Llava model = make_decoder(size.config, setting.device, make);
  for (const int64_t sequences : {1, 8, 32})
    results.push_back(time_decode(name, setting, model, sequences));
}

}  // namespace

nlohmann::json step_results(const Setting& setting, const std::string& model) {
  const Size size = size_of(model, setting.small);
  const MakeLinear packed = [&](const LinearSpec& spec) {
    return std::make_unique<PackedLinear>(random_packed(spec.rows, spec.columns, kBits, setting.device));
  };
  const MakeLinear dense = [&](const LinearSpec& spec) {
    return std::make_unique<DenseLinear>(random_weight(spec.rows, spec.columns, setting.device));
  };
  nlohmann::json results = nlohmann::json::array();
  add_decodes("decode_packed", setting, size, packed, results);
  add_decodes("decode_bfloat16", setting, size, dense, results);
  results.push_back(time_lora("lora_step_packed", setting, size, packed));
  results.push_back(time_lora("lora_step_bfloat16", setting, size, dense));
  results.push_back(time_scales(setting, size));
  for (nlohmann::json& entry : results)
    entry["model"] = model;
  return results;
}

}  // namespace qslaw::bench
