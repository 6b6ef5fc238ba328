// Training in bfloat16, the default, against the same in float32.
#include <catch2/catch.hpp>

#include "temporary_folder.h"
#include "tiny_decoder.h"

using namespace qslaw;

namespace {

at::Tensor all_values(const std::vector<LoraLinear*>& adapter) {
  std::vector<at::Tensor> parts;
  for (const auto& [name, tensor] : lora_tensors(adapter)) {
    REQUIRE(tensor.scalar_type() == at::kFloat);
    parts.push_back(tensor.detach().flatten().to(at::kDouble));
  }
  return at::cat(parts);
}

struct Step {
  double loss = 0.0;
  at::Tensor update;  // of A and B of all layers, one after the other
};

// One step of LoRA with activations in `dtype` on weights that bfloat16 holds.
Step lora_step(at::ScalarType dtype) {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(16);
  model.dtype = dtype;
  for (const auto& [name, tensor] : language_slots(model))
    *tensor = tensor->to(at::kBFloat16).to(dtype);
  const auto adapter =
      attach_lora(model.language, {2, 4.0, 0.0}, std::make_shared<DropoutKey>(), 7, at::kCPU);
  at::manual_seed(3);
  for (const auto& [name, tensor] : lora_tensors(adapter))  // B = 0 would leave A without a gradient
    tensor.copy_(at::randn(tensor.sizes()) * 0.3);
  const ListDataset data = make_samples(
      4, [](int64_t i) { return 5 + i; }, [](int64_t i) { return 1 + i % 3; });
  TrainTask task = make_task(model, folder.path());
  task.groups = {lora_group(adapter, 0.01, 0.0)};
  // Gradients far below AdamW's eps of 1e-8, so that updates are in proportion to them. Otherwise each would
  // be as long as the rate, with a sign that the least rounding turns where a gradient is next to nothing.
  task.optimizer.max_grad_norm = 1e-8;
  task.phases = {phase_in_order(data, 1, 4)};
  const at::Tensor before = all_values(adapter);
  const double loss = train(task, false).first_loss;
  return {loss, all_values(adapter) - before};
}

}  // namespace

TEST_CASE("a LoRA step in bfloat16 has the loss and the update of one in float32") {
  const Step expected = lora_step(at::kFloat), actual = lora_step(at::kBFloat16);
  // bfloat16 keeps 8 bits: 2^-9 relative error per rounding. Some 40 in a row, through two blocks and back,
  // add up to at most 0.08, or where they are of either sign, as in a mean over tokens, to sqrt(40) * 2^-9 =
  // 0.012.
  CHECK(actual.loss != expected.loss);
  CHECK(actual.loss == Approx(expected.loss).epsilon(0.012));
  // Only float32 holds it: the weights, 0.3 in size, move by 4e-4, a fifth of bfloat16's spacing there.
  const double length = expected.update.norm().item<double>();
  CHECK(length > 0);
  CHECK((actual.update - expected.update).norm().item<double>() < 0.08 * length);
}
