// A tiny model, and what the benchmarks measure computed from all_logits: one sample at a time, without
// padding, without a cache, in float64 behind the logits.
#pragma once
#include <catch2/catch.hpp>
#include <fstream>

#include "core/whitespace.h"
#include "eval/benchmark.h"
#include "temporary_folder.h"
#include "tiny_model.h"

namespace qslaw {

inline std::vector<nlohmann::json> read_lines(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// What the template vicuna_v1 makes of one question without a picture, or with the picture in front of it
/// (llava/conversation.py, conv_vicuna_v1).
inline std::string vicuna_prompt(const std::string& question) {
  return "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
         "helpful, "
         "detailed, and polite answers to the user's questions. USER: " +
         question + " ASSISTANT:";
}

class EvalCase {
 public:
  /// Random weights are small: without a louder head every answer would hang on the last digit.
  explicit EvalCase(double loudness = 30.0)
      : source_(write_tiny_model(folder_.path())),
        config_(read_config(source_)),
        tokenizer(Tokenizer::load(folder_.path())),
        model(load_llava(source_, config_, at::kFloat, at::kCPU, dense_maker(at::kFloat, at::kCPU))) {
    model.language.head_VD = model.language.head_VD * loudness;
  }

  EvalContext context() const {
    return {&model, &tokenizer, TemplateKind::vicuna_v1, tiny_transform(), path() / "predictions", 42};
  }
  const std::filesystem::path& path() const { return folder_.path(); }

  /// A benchmark's lines of predictions.
  std::vector<nlohmann::json> lines(const std::string& name) const {
    return read_lines(path() / "predictions" / (name + ".jsonl"));
  }

  /// All samples of a data set, as training encodes them, with their pictures.
  std::vector<LoadedSample> load(const DataOptions& options) const {
    const auto dataset =
        make_dataset(options, {&tokenizer, TemplateKind::vicuna_v1, config_.vision.features()});
    std::vector<LoadedSample> samples;
    for (int64_t i = 0; i < dataset->size(); ++i) {
      samples.push_back({dataset->at(i), {}});
      for (const auto& picture : samples.back().sample.pictures)
        samples.back().pixels_3SS.push_back(transform_image(read_image(picture), tiny_transform()));
    }
    return samples;
  }

  Batch alone(const LoadedSample& sample) const {
    return collate({sample}, config_.vision.features(), config_.pad_token_id);
  }

  /// log p of every next token, [T, V] float64.
  at::Tensor log_probabilities(const LoadedSample& sample) const {
    at::NoGradGuard no_grad;
    return at::log_softmax(all_logits(model, alone(sample))[0].to(at::kDouble), -1);
  }

  /// Sum over the learned tokens and their number.
  std::pair<double, int64_t> nll(const LoadedSample& sample) const {
    const at::Tensor log_p = log_probabilities(sample), labels = alone(sample).labels_BT[0];
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t t = 1; t < labels.size(0); ++t) {
      const int64_t label = labels[t].item<int64_t>();
      if (label == kIgnoreLabel) continue;
      sum -= log_p[t - 1][label].item<double>();
      ++count;
    }
    return {sum, count};
  }

  /// The likeliest continuation of a prompt.
  std::string greedy_answer(LoadedSample prompt, int64_t max_new_tokens) const {
    std::vector<int64_t> answer;
    for (int64_t i = 0; i < max_new_tokens; ++i) {
      const int64_t token = log_probabilities(prompt)[-1].argmax().item<int64_t>();
      if (token == tokenizer.eos_id()) break;
      answer.push_back(token);
      prompt.sample.ids.push_back(token);
      prompt.sample.labels.push_back(kIgnoreLabel);
    }
    const std::string text = tokenizer.decode(answer);
    return std::string(strip(text));
  }

 private:
  TemporaryFolder folder_;
  ModelSource source_;
  LlavaConfig config_;

 public:
  Tokenizer tokenizer;
  Llava model;
};

/// The sample up to its first learned token.
inline LoadedSample prompt_of(LoadedSample sample) {
  size_t begin = 0;
  while (sample.sample.labels[begin] == kIgnoreLabel)
    ++begin;
  sample.sample.ids.resize(begin);
  sample.sample.labels.resize(begin);
  return sample;
}

}  // namespace qslaw
