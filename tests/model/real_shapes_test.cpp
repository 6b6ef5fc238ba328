// The shapes of 13B and of CLIP ViT-L/14 at 336 pixels, two blocks of each, against transformers. Needs 5 GB
// of memory and 4 GB of disk for two minutes.
#include <catch2/catch.hpp>
#include <cmath>

#include "model_fixture.h"
#include "project_python.h"
#include "temporary_folder.h"

using namespace qslaw;

namespace {

Batch batch_of(const std::map<std::string, at::Tensor>& expected) {
  Batch batch;
  const at::Tensor& ids = expected.at("input_ids");
  batch.ids_BT = ids.masked_fill(ids == expected.at("image_token_id"), kImagePlaceholder);
  batch.labels_BT = at::full_like(ids, kIgnoreLabel);
  batch.lengths_B = at::tensor({ids.size(1)}, at::kLong);
  batch.pixels_N3SS = expected.at("pixel_values");
  batch.sample_ids = {"real shapes"};
  return batch;
}

double mean_square(const at::Tensor& difference) {
  return difference.to(at::kDouble).square().mean().item<double>();
}

// Of the positions that `like` holds, the last ones.
at::Tensor last_logits(const Llava& model, const Batch& batch, const at::Tensor& like) {
  const at::Tensor logits = all_logits(model, batch);
  return logits.narrow(1, logits.size(1) - like.size(1), like.size(1));
}

// By how much the likeliest token's logit is above that of `chosen`, per step.
at::Tensor behind(const at::Tensor& logits_1TV, const at::Tensor& chosen_1T) {
  return logits_1TV.amax(-1) - logits_1TV.gather(-1, chosen_1T.unsqueeze(-1)).squeeze(-1);
}

// Behind transformers' bfloat16 text, token by token: each program's choice is the other's, or within
// `margin` of it, where a random model's logits are too close together for bfloat16 to tell them apart.
void check_bfloat16_text(const Llava& model, const Batch& batch,
                         const std::map<std::string, at::Tensor>& expected, double margin) {
  const at::Tensor &tokens = expected.at("greedy_bfloat16"), &theirs = expected.at("greedy_logits_bfloat16");
  const int64_t steps = tokens.size(1);
  Batch continued = batch;
  continued.ids_BT = at::cat({batch.ids_BT, tokens.narrow(1, 0, steps - 1)}, 1);
  continued.labels_BT = at::full_like(continued.ids_BT, kIgnoreLabel);
  continued.lengths_B = at::tensor({continued.ids_BT.size(1)}, at::kLong);
  at::Tensor ours = last_logits(model, continued, tokens).to(at::kFloat);
  ours.select(-1, expected.at("image_token_id").item<int64_t>()).fill_(-INFINITY);
  const at::Tensor chosen = ours.argmax(-1);
  CHECK(behind(theirs, chosen).max().item<double>() <= margin);
  CHECK(behind(ours, tokens).max().item<double>() <= margin);
  // Another model's choice is one of 32,000.
  CHECK(chosen.eq(tokens).sum().item<int64_t>() >= steps / 4);
}

}  // namespace

TEST_CASE("two blocks of 13B behind CLIP-L/336 agree with transformers") {
  at::NoGradGuard no_grad;
  const TemporaryFolder folder;
  if (!run_python({std::string(QSLAW_SOURCE) + "/tests/model/write_real_shapes.py", folder.path().string()}))
    return;
  const auto expected = read_safetensors(folder.path() / "expected.safetensors");
  const Batch batch = batch_of(expected);
  const at::Tensor& logits = expected.at("logits");
  at::Tensor actual;
  {
    const Llava model = load_dense(source_of(folder.path() / "llava"));
    actual = last_logits(model, batch, logits);
    // Float32 sums over up to 13,824 products in another order.
    CHECK(relative_error(actual, logits) < 1e-4);
    const at::Tensor& tokens = expected.at("greedy");
    CHECK(at::equal(greedy(model, batch, tokens.size(1), expected.at("image_token_id").item<int64_t>()),
                    tokens));
  }
  {
    // Both round to 8 bits in places of their own: neither may be much farther from float32 than the other.
    const Llava model = load_dense(source_of(folder.path() / "llava"), at::kBFloat16);
    const double theirs = mean_square(expected.at("logits_bfloat16") - logits);
    CHECK(mean_square(last_logits(model, batch, logits) - logits) < 1.5 * theirs);
    // A lead is a difference of two logits, and either program's have that error: its deviation is twice that
    // of a logit. Four deviations, and half as much again, for the largest logits are rounded to coarser
    // steps than most.
    check_bfloat16_text(model, batch, expected, 12 * std::sqrt(theirs));
  }
  // LLaVA's own layout has the same weights, but for the rows of a larger vocabulary.
  const Llava original = load_dense(source_of(folder.path() / "original"));
  const int64_t vocabulary = original.config.language.vocab;
  CHECK(vocabulary < logits.size(2));
  CHECK(relative_error(last_logits(original, batch, logits), actual.narrow(2, 0, vocabulary)) < 1e-6);
}
