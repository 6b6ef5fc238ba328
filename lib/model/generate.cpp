#include "model/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "model/nonfinite.h"

namespace qslaw {
namespace {

// Smallest set of the likeliest tokens whose probability reaches top_p; the rest gets probability 0. On the
// host, but for the sorting.
at::Tensor keep_top_p(const at::Tensor& probabilities_BV, double top_p) {
  const auto [sorted_there, order] = probabilities_BV.sort(-1, /*descending=*/true);
  const at::Tensor sorted = sorted_there.cpu();
  const at::Tensor before = sorted.cumsum(-1) - sorted;
  const at::Tensor kept = sorted.masked_fill(before >= top_p, 0.0);
  return at::zeros_like(sorted).scatter(-1, order.cpu(), kept);
}

// A token per row, on the logits' device and on the host, and whether the row's logits were finite.
struct Choice {
  at::Tensor tokens_B;
  std::vector<int64_t> tokens;
  std::vector<bool> finite;
};

Choice sample_tokens(const at::Tensor& logits_BV, const GenerateOptions& options, int64_t step) {
  const at::Tensor all = at::softmax(logits_BV / options.temperature, -1);
  const at::Tensor probabilities = options.top_p < 1.0 ? keep_top_p(all, options.top_p) : all.cpu();
  // Added on the host: LibTorch's cumulative sums on CUDA have no fixed order.
  const at::Tensor cumulative = probabilities.to(at::kDouble).cumsum(-1);
  Choice choice;
  for (int64_t b = 0; b < cumulative.size(0); ++b) {
    Random random(mix_seed(options.seed, static_cast<uint64_t>(b), static_cast<uint64_t>(step)));
    const double* row = cumulative[b].const_data_ptr<double>();
    const int64_t V = cumulative.size(1);
    const double target = random.uniform() * row[V - 1];
    choice.tokens.push_back(std::min<int64_t>(std::upper_bound(row, row + V, target) - row, V - 1));
    // Softmax makes NaN of the whole row where one logit is NaN or positive infinity.
    choice.finite.push_back(std::isfinite(row[V - 1]));
  }
  choice.tokens_B = at::tensor(choice.tokens, at::kLong).to(logits_BV.device());
  return choice;
}

// The largest logit is NaN where any is, so that looking at it costs nothing. One transfer brings both.
Choice greedy_tokens(const at::Tensor& logits_BV) {
  const auto [largest_B, tokens_B] = logits_BV.max(-1);
  const at::Tensor both = at::stack({tokens_B.to(at::kDouble), largest_B.to(at::kDouble)}).cpu();
  Choice choice{tokens_B, {}, {}};
  for (int64_t b = 0; b < tokens_B.size(0); ++b) {
    choice.tokens.push_back(static_cast<int64_t>(both.const_data_ptr<double>()[b]));
    choice.finite.push_back(std::isfinite(both.const_data_ptr<double>()[tokens_B.size(0) + b]));
  }
  return choice;
}

Choice choose_tokens(const at::Tensor& logits_BV, const GenerateOptions& options, int64_t step) {
  return options.temperature > 0 ? sample_tokens(logits_BV, options, step) : greedy_tokens(logits_BV);
}

}  // namespace

std::vector<std::vector<int64_t>> generate(const Llava& model, const Batch& prompts,
                                           const GenerateOptions& options) {
  at::NoGradGuard no_grad;
  const int64_t B = prompts.ids_BT.size(0);
  std::vector<std::vector<int64_t>> texts(static_cast<size_t>(B));
  std::vector<bool> finished(static_cast<size_t>(B), false);
  if (options.max_new_tokens <= 0) return texts;
  KvCache cache(model.language.config, B, prompts.ids_BT.size(1) + options.max_new_tokens,
                at::TensorOptions().dtype(model.dtype).device(model.device));
  at::Tensor logits_BV = prefill(model, prompts, cache);
  DecodeStepper stepper(model, cache);
  for (int64_t step = 0; step < options.max_new_tokens; ++step) {
    const Choice choice = choose_tokens(logits_BV, options, step);
    bool all_finished = true;
    for (size_t b = 0; b < texts.size(); ++b) {
      if (!finished[b] && !choice.finite[b])
        fail_nonfinite(concat("logits of new token ", step + 1), model, prompts, b);
      finished[b] = finished[b] || choice.tokens[b] == options.eos_id;
      if (!finished[b]) texts[b].push_back(choice.tokens[b]);
      all_finished = all_finished && finished[b];
    }
    if (all_finished || step + 1 == options.max_new_tokens) break;
    logits_BV = stepper.step(choice.tokens_B);
  }
  return texts;
}

}  // namespace qslaw
