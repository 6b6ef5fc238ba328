// Decoding by packed codes below an adapter on a GPU, where there is one, by replaying one step.
#include <catch2/catch.hpp>

#include "kernels/gpu_case.h"
#include "model/decode_case.h"
#include "model/lora.h"
#include "packed_case.h"

using namespace qslaw;

namespace {

Llava packed_decoder(at::Device device) {
  Llava model = seeded_decoder(device, seeded_packed_linears(device));
  at::NoGradGuard no_grad;
  for (LoraLinear* layer :
       attach_lora(model.language, {4, 8.0, 0.0}, std::make_shared<DropoutKey>(), 1, device))
    layer->b_NR().fill_(0.05);
  return model;
}

}  // namespace

TEST_CASE("a GPU's text by packed codes and a replayed step is that of single steps and of the CPU",
          "[gpu][graph][first]") {
  if (!has_gpu()) return;
  constexpr int64_t kSteps = 20;
  const Llava model = packed_decoder(at::kCUDA);
  const GreedyText single = text_by_steps(model, kSteps),
                   on_cpu = text_by_steps(packed_decoder(at::kCPU), kSteps);
  CHECK(at::equal(single.ids_BT, on_cpu.ids_BT));
  bool replays = false;
  const GreedyText text = text_by_stepper(model, kSteps, replays);
  CHECK(replays);
  CHECK(at::equal(text.ids_BT, single.ids_BT));
  // Float32 sums of up to 128 terms in orders of their own.
  CHECK(at::allclose(text.logits_BV, on_cpu.logits_BV, 1e-3, 1e-3));
}
