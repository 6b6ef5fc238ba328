// Decoding step by step, and on a GPU by replaying one step.
#include "model/decode.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/interrupt.h"
#include "decode_case.h"
#include "kernels/gpu_case.h"
#include "model_fixture.h"

using namespace qslaw;

namespace {

// Waits for the device, which cannot be recorded.
class WaitingLinear final : public Linear {
 public:
  explicit WaitingLinear(at::Tensor weight_NK) : weight_NK_(std::move(weight_NK)) {}
  at::Tensor forward(const at::Tensor& x) const override {
    at::Tensor y = at::linear(x, weight_NK_);
    y.sum().item<float>();
    return y;
  }
  at::Tensor dense_weight(at::ScalarType dtype) const override { return weight_NK_.to(dtype); }
  int64_t weight_bytes() const override { return static_cast<int64_t>(weight_NK_.nbytes()); }

 private:
  at::Tensor weight_NK_;
};

}  // namespace

TEST_CASE("a stepper's logits are those of single steps") {
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  const Batch prompts = read_expected(model_fixture("gqa")).batch;
  at::NoGradGuard no_grad;
  KvCache first = cache_for(model, prompts, 6), second = cache_for(model, prompts, 6);
  at::Tensor tokens_B = prefill(model, prompts, first).argmax(-1);
  CHECK(at::equal(prefill(model, prompts, second).argmax(-1), tokens_B));
  DecodeStepper stepper(model, second);
  for (int i = 0; i < 6; ++i) {
    const at::Tensor logits_BV = decode_step(model, tokens_B, first);
    CHECK(at::equal(stepper.step(tokens_B), logits_BV));
    tokens_B = logits_BV.argmax(-1);
  }
  CHECK_FALSE(stepper.replays());
  CHECK(at::equal(first.lengths(), prompts.lengths_B + 6));
  CHECK(at::equal(first.lengths_with_new_token(), prompts.lengths_B + 7));
}

TEST_CASE("no step goes beyond the cache, and one that was stopped is told") {
  const Llava model = seeded_dense_decoder(at::kCPU);
  at::NoGradGuard no_grad;
  KvCache cache = cache_for(model, ragged_prompts(), 1);
  const at::Tensor tokens_B = prefill(model, ragged_prompts(), cache).argmax(-1);
  DecodeStepper stepper(model, cache);
  CHECK_NOTHROW(stepper.step(tokens_B));
  CHECK_THROWS_AS(stepper.step(tokens_B), InternalError);
  KvCache other = cache_for(model, ragged_prompts(), 1);
  prefill(model, ragged_prompts(), other);
  DecodeStepper stopped(model, other);
  request_stop();
  CHECK_THROWS_AS(stopped.step(tokens_B), Stopped);
  request_stop(false);
}

TEST_CASE("a GPU's text by a replayed step is that of single steps and of the CPU", "[gpu][graph]") {
  if (!has_gpu()) return;
  constexpr int64_t kSteps = 40;
  const Llava model = seeded_dense_decoder(at::kCUDA);
  const GreedyText single = text_by_steps(model, kSteps),
                   on_cpu = text_by_steps(seeded_dense_decoder(at::kCPU), kSteps);
  CHECK(at::equal(single.ids_BT, on_cpu.ids_BT));
  for (int round = 0; round < 2; ++round) {  // the second records into memory that the first has left
    bool replays = false;
    const GreedyText text = text_by_stepper(model, kSteps, replays);
    CHECK(replays);
    CHECK(at::equal(text.ids_BT, single.ids_BT));
    // Float32 sums of up to 128 terms, in whatever order cuBLAS takes on another stream.
    CHECK(relative_error(text.logits_BV, on_cpu.logits_BV) < 1e-4);
  }
}

TEST_CASE("a GPU's step that is stopped while it is recorded leaves no trace", "[gpu][graph]") {
  if (!has_gpu()) return;
  const Llava model = seeded_dense_decoder(at::kCUDA);
  at::NoGradGuard no_grad;
  KvCache cache = cache_for(model, ragged_prompts(), 20);
  at::Tensor tokens_B = prefill(model, ragged_prompts(), cache).argmax(-1);
  DecodeStepper stepper(model, cache);
  for (int64_t i = 0; i < DecodeStepper::kEagerSteps; ++i)
    stepper.step(tokens_B);
  request_stop();
  CHECK_THROWS_AS(stepper.step(tokens_B), Stopped);
  request_stop(false);
  CHECK_FALSE(stepper.replays());
  bool replays = false;
  CHECK(at::equal(text_by_stepper(model, 20, replays).ids_BT, text_by_steps(model, 20).ids_BT));
  CHECK(replays);
}

TEST_CASE("a GPU's text goes on without replays where a step cannot be recorded", "[gpu][graph]") {
  if (!has_gpu()) return;
  const Llava model = seeded_decoder(at::kCUDA, [](const LinearSpec&, const at::Tensor& weight_NK) {
    return std::make_unique<WaitingLinear>(weight_NK.to(at::kCUDA));
  });
  const at::Tensor expected = text_by_steps(model, 12).ids_BT;
  bool replays = true;
  CHECK(at::equal(text_by_stepper(model, 12, replays).ids_BT, expected));
  CHECK_FALSE(replays);
  CHECK(at::equal(text_by_stepper(seeded_dense_decoder(at::kCUDA), 12, replays).ids_BT, expected));
  CHECK(replays);
}
