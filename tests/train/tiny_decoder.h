// A decoder of two thousand weights, samples for it, and a training task over both.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "decoder_blocks.h"
#include "model/named_tensors.h"
#include "train/trainer.h"

namespace qslaw {

/// Two blocks, two heads that share one key/value head, an untied output head; text only.
inline Llava tiny_decoder(uint64_t seed) {
  Llava model;
  LanguageConfig& config = model.config.language;
  config.vocab = 17;
  config.width = 8;
  config.ffn = 12;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_size = 4;
  config.rms_eps = 1e-5;
  at::set_num_threads(1);  // threads that wait for each other cost more than these products
  at::manual_seed(seed);
  // Large enough weights for gradients far above AdamW's eps.
  const auto random = [](std::vector<int64_t> shape) { return at::randn(shape) * 0.4; };
  Llama& language = model.language;
  language.config = config;
  language.embedding_VD = random({config.vocab, config.width});
  language.blocks = make_blocks(
      config, [&] { return 1.0 + random({config.width}); },
      [&](const LinearSpec& spec) {
        return std::make_unique<DenseLinear>(random({spec.rows, spec.columns}));
      });
  language.norm_D = 1.0 + random({config.width});
  language.head_VD = random({config.vocab, config.width});
  language.rope_frequencies = rope_frequencies(config.rope, config.head_size);
  return model;
}

/// Samples as given. Reading number `broken`, when that is not negative, fails; number `cut` says that it was
/// cut.
class ListDataset final : public Dataset {
 public:
  explicit ListDataset(std::vector<Sample> samples) : samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  Sample at(int64_t index) const override {
    if (index == broken) fail("data", "expected a sound sample, got number ", index);
    Sample sample = samples_[static_cast<size_t>(index)];
    sample.cut_from = index == cut ? 99 : 0;
    return sample;
  }
  std::string fingerprint() const override { return "list"; }

  int64_t broken = -1, cut = -1;

 private:
  std::vector<Sample> samples_;
};

/// Sample i has `length(i)` tokens, of which the last `learned(i)` are learned.
template <typename Length, typename Learned>
ListDataset make_samples(int64_t count, const Length& length, const Learned& learned) {
  std::vector<Sample> samples;
  for (int64_t i = 0; i < count; ++i) {
    Sample sample;
    sample.id = "s" + std::to_string(i);
    for (int64_t t = 0; t < length(i); ++t)
      sample.ids.push_back((3 + 5 * i + 7 * t + i * t) % 17);
    for (int64_t t = 0; t < length(i); ++t) {
      sample.labels.push_back(t >= length(i) - learned(i) ? sample.ids[static_cast<size_t>(t)]
                                                          : kIgnoreLabel);
    }
    samples.push_back(sample);
  }
  return ListDataset(std::move(samples));
}

/// `steps` steps over the samples in their order, over and over.
inline TrainPhase phase_in_order(const Dataset& data, int64_t steps, int64_t batch_size) {
  TrainPhase phase;
  phase.sources = {&data};
  phase.steps = steps;
  phase.batch_size = batch_size;
  for (int64_t i = 0; i < steps * batch_size; ++i)
    phase.plan.push_back({0, i % data.size()});
  return phase;
}

inline TrainTask make_task(const Llava& model, const std::filesystem::path& folder) {
  TrainTask task;
  task.title = "tune";
  task.model = &model;
  task.optimizer.warmup_ratio = 0.0;
  task.loop.batch_size = 4;
  task.loop.micro_batch_size = 2;
  task.loop.save_every = 1000;
  task.folder = folder;
  task.fingerprint = "f";
  return task;
}

/// Copies of every tensor of the decoder, by name.
inline NamedTensors copy_tensors(Llava& model) {
  NamedTensors copies;
  for (const auto& [name, tensor] : language_slots(model))
    copies.emplace_back(name, tensor->detach().clone());
  return copies;
}

}  // namespace qslaw
