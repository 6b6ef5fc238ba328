#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/interrupt.h"
#include "model/generate.h"
#include "model/nonfinite.h"
#include "model_fixture.h"

using namespace qslaw;

namespace {

GenerateOptions sampling(double temperature, double top_p, uint64_t seed) {
  GenerateOptions options;
  options.max_new_tokens = 12;
  options.temperature = temperature;
  options.top_p = top_p;
  options.eos_id = -1;
  options.seed = seed;
  return options;
}

// Next token after next token without a cache: `generate` must agree with this.
std::vector<int64_t> greedy_without_cache(const Llava& model, Batch row, int64_t steps) {
  at::NoGradGuard no_grad;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < steps; ++i) {
    const at::Tensor logits = all_logits(model, row);
    ids.push_back(logits[0][logits.size(1) - 1].argmax().item<int64_t>());
    row.ids_BT = at::cat({row.ids_BT, at::full({1, 1}, ids.back(), at::kLong)}, 1);
  }
  return ids;
}

// A model that answers every prompt with the logits `logits_V`: no blocks, a constant hidden state, and a
// head whose rows are multiples of it. With width 2 and the norm's weight 1 the state (1, 1) stays (1, 1) but
// for eps.
Llava handmade_model(const std::vector<float>& logits) {
  Llava model;
  const auto V = static_cast<int64_t>(logits.size());
  model.config.language.vocab = V;
  model.config.language.width = 2;
  model.config.language.layers = 0;
  model.config.language.rms_eps = 0.0;
  model.language.config = model.config.language;
  model.language.embedding_VD = at::ones({V, 2});
  model.language.norm_D = at::ones({2});
  model.language.head_VD = at::stack({at::tensor(logits), at::zeros({V})}, 1);
  model.language.rope_frequencies = at::ones({1});
  return model;
}

Batch text_prompt(int64_t rows) {
  Batch batch;
  batch.ids_BT = at::zeros({rows, 3}, at::kLong);
  batch.lengths_B = at::full({rows}, 3, at::kLong);
  return batch;
}

std::vector<double> frequencies(const Llava& model, const GenerateOptions& options, int64_t rows) {
  std::vector<double> counts(static_cast<size_t>(model.config.language.vocab), 0.0);
  double all = 0.0;
  for (const auto& row : generate(model, text_prompt(rows), options)) {
    for (int64_t id : row)
      counts[static_cast<size_t>(id)] += 1.0;
    all += static_cast<double>(row.size());
  }
  for (double& count : counts)
    count /= all;
  return counts;
}

}  // namespace

TEST_CASE("batched greedy generation equals single rows and the uncached choice") {
  for (const char* name : {"gqa", "tied", "rope_llama3"}) {
    INFO(name);
    const Llava model = load_dense(source_of(model_fixture(name)));
    const Expected expected = read_expected(model_fixture(name));
    GenerateOptions options;
    options.max_new_tokens = 20;
    options.eos_id = -1;
    const auto both = generate(model, expected.batch, options);
    REQUIRE(both.size() == 2);
    for (int64_t b = 0; b < 2; ++b) {
      const Batch row = single_row(expected.batch, b);
      CHECK(generate(model, row, options)[0] == both[static_cast<size_t>(b)]);
      CHECK(greedy_without_cache(model, row, 20) == both[static_cast<size_t>(b)]);
    }
  }
}

TEST_CASE("generation stops a row at its end token and goes on with the others") {
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  const Expected expected = read_expected(model_fixture("gqa"));
  GenerateOptions options;
  options.max_new_tokens = 10;
  options.eos_id = -1;
  const auto free = generate(model, expected.batch, options);
  options.eos_id = free[0][4];
  const auto stopped = generate(model, expected.batch, options);
  for (size_t b = 0; b < 2; ++b) {
    const auto end = std::find(free[b].begin(), free[b].end(), options.eos_id);
    CHECK(stopped[b] == std::vector<int64_t>(free[b].begin(), end));
  }
  CHECK(stopped[0].size() <= 4);
  options.max_new_tokens = 0;
  CHECK(generate(model, expected.batch, options) == std::vector<std::vector<int64_t>>(2));
}

TEST_CASE("generation ends within its batch when a stop is asked for") {
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  at::NoGradGuard no_grad;
  KvCache cache(model.language.config, 2, batch.ids_BT.size(1) + 1, at::kFloat);
  const at::Tensor tokens_B = prefill(model, batch, cache).argmax(-1);
  request_stop();
  CHECK_THROWS_AS(decode_step(model, tokens_B, cache), Stopped);
  CHECK_THROWS_AS(generate(model, batch, sampling(1.0, 0.9, 7)), Stopped);
  request_stop(false);
}

TEST_CASE("sampling is reproducible and depends on the seed") {
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  const Batch batch = read_expected(model_fixture("gqa")).batch;
  const auto first = generate(model, batch, sampling(1.0, 0.9, 7));
  CHECK(first == generate(model, batch, sampling(1.0, 0.9, 7)));
  CHECK(first != generate(model, batch, sampling(1.0, 0.9, 8)));
}

TEST_CASE("sampling follows temperature and top_p on a handmade distribution") {
  // Probabilities 0.1, 0.5, 0.05, 0.3, 0.05 at temperature 1.
  const Llava model =
      handmade_model({std::log(0.1F), std::log(0.5F), std::log(0.05F), std::log(0.3F), std::log(0.05F)});
  // 400 rows x 12 tokens = 4800 draws: the standard deviation of a frequency is at most 0.0072; 0.036 is five
  // of them.
  constexpr double kFiveDeviations = 0.036;
  const auto check = [&](const GenerateOptions& options, const std::vector<double>& expected) {
    const auto actual = frequencies(model, options, 400);
    for (size_t i = 0; i < expected.size(); ++i) {
      INFO("token " << i);
      CHECK(std::abs(actual[i] - expected[i]) < (expected[i] == 0.0 ? 1e-12 : kFiveDeviations));
    }
  };
  check(sampling(1.0, 1.0, 1), {0.1, 0.5, 0.05, 0.3, 0.05});
  // 0.5 + 0.3 reaches 0.75, so only those two are left.
  check(sampling(1.0, 0.75, 2), {0.0, 0.625, 0.0, 0.375, 0.0});
  // 0.5 + 0.3 does not reach 0.85; with 0.1 it does.
  check(sampling(1.0, 0.85, 3), {0.1 / 0.9, 0.5 / 0.9, 0.0, 0.3 / 0.9, 0.0});
  // The likeliest token stays however small top_p is.
  check(sampling(1.0, 1e-9, 4), {0.0, 1.0, 0.0, 0.0, 0.0});
  // Temperature 0.5 squares the probabilities: 0.01, 0.25, 0.0025, 0.09, 0.0025 over 0.355.
  check(sampling(0.5, 1.0, 5), {0.01 / 0.355, 0.25 / 0.355, 0.0025 / 0.355, 0.09 / 0.355, 0.0025 / 0.355});
}

TEST_CASE("a batched draw is the draw of the row") {
  const Llava model = handmade_model({0.0F, 0.5F, 1.0F});
  const auto many = generate(model, text_prompt(3), sampling(1.0, 1.0, 9));
  CHECK(many[0] == generate(model, text_prompt(1), sampling(1.0, 1.0, 9))[0]);
  CHECK(many[0] != many[1]);
}

TEST_CASE("logits that are not finite end the generation with the sample and the place") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Llava model = handmade_model({0.0F, bad, 1.0F});
    Batch prompts = text_prompt(2);
    prompts.sample_ids = {"first", "second"};
    for (const double temperature : {0.0, 1.0}) {
      CHECK_THROWS_WITH(generate(model, prompts, sampling(temperature, 0.9, 1)),
                        Catch::Contains("[model] expected finite logits of new token 1 of sample first") &&
                            Catch::Contains("first in the output head"));
    }
  }
  // A token that is never chosen.
  const Llava masked = handmade_model({0.0F, -std::numeric_limits<float>::infinity(), 1.0F});
  CHECK(generate(masked, text_prompt(1), sampling(0.0, 1.0, 1))[0] == std::vector<int64_t>(12, 2));
  CHECK_NOTHROW(generate(masked, text_prompt(1), sampling(1.0, 0.9, 1)));
}

TEST_CASE("a place that is not finite is named") {
  const Expected expected = read_expected(model_fixture("gqa"));
  GenerateOptions options;
  options.max_new_tokens = 2;
  const auto error_with = [&](at::Tensor Llama::*tensor) {
    Llava model = load_dense(source_of(model_fixture("gqa")));
    model.language.*tensor = at::full_like(model.language.*tensor, NAN);
    CHECK_THROWS_AS(generate(model, expected.batch, options), UserError);
    return find_nonfinite(model, expected.batch);
  };
  CHECK(error_with(&Llama::embedding_VD) == "the embeddings");
  CHECK(error_with(&Llama::norm_D) == "the decoder's last norm");
  CHECK(error_with(&Llama::head_VD) == "the output head");
  CHECK(find_nonfinite(load_dense(source_of(model_fixture("gqa"))), expected.batch) == "");
}
