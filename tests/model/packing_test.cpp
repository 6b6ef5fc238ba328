// Samples that lie end to end in one row are what they are alone: losses and gradients.
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "core/random.h"
#include "model/dataset_loss.h"
#include "model/llava.h"
#include "model/nonfinite.h"
#include "model/random_tensor.h"
#include "model_fixture.h"

using namespace qslaw;

namespace {

/// `length` ids, all but the first learned; a picture instead of id number `picture` unless that is negative.
LoadedSample make_sample(const Llava& model, int64_t length, int64_t picture, uint64_t seed) {
  Random random(seed);
  LoadedSample loaded;
  loaded.sample.id = std::to_string(seed);
  for (int64_t t = 0; t < length; ++t) {
    loaded.sample.ids.push_back(t == picture ? kImagePlaceholder
                                             : static_cast<int64_t>(3 + random.below(90)));
    loaded.sample.labels.push_back(t == picture ? kIgnoreLabel : loaded.sample.ids.back());
  }
  if (picture < 0) return loaded;
  const int64_t size = model.config.vision.image_size;
  loaded.sample.pictures.emplace_back("a.png");
  loaded.pixels_3SS.push_back(random_normal({3, size, size}, 1.0, seed));
  return loaded;
}

std::vector<LoadedSample> make_samples(const Llava& model) {
  // A short one behind a long one, pictures at the beginning, in the middle and at the end, a single token.
  return {make_sample(model, 9, 3, 1),  make_sample(model, 2, -1, 2),  make_sample(model, 5, 0, 3),
          make_sample(model, 1, -1, 4), make_sample(model, 12, -1, 5), make_sample(model, 4, 3, 6)};
}

Batch collated(const Llava& model, const std::vector<LoadedSample>& samples, bool pack) {
  return collate(samples, model.config.vision.features(), model.config.pad_token_id, pack);
}

std::vector<at::Tensor> trained(Llava& model) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : projector_tensors(model.projector))
    tensors.push_back(*tensor);
  for (LlamaBlock& block : model.language.blocks)
    tensors.push_back(block.input_norm_D);
  for (at::Tensor& tensor : tensors)
    tensor.requires_grad_(true);
  return tensors;
}

// The loss and its gradients.
std::vector<at::Tensor> gradients(const at::Tensor& loss, std::vector<at::Tensor>& tensors) {
  for (at::Tensor& tensor : tensors)
    tensor.mutable_grad() = at::Tensor();
  torch::autograd::backward({loss}, {});
  std::vector<at::Tensor> out = {loss.detach()};
  for (const at::Tensor& tensor : tensors)
    out.push_back(tensor.grad().clone());
  return out;
}

}  // namespace

TEST_CASE("a packed batch's losses and gradients are those of its samples alone, weighted by tokens") {
  Llava model = load_dense(source_of(model_fixture("gqa")));
  std::vector<at::Tensor> tensors = trained(model);
  const std::vector<LoadedSample> samples = make_samples(model);
  std::vector<at::Tensor> sums;
  std::vector<double> alone;
  std::vector<int64_t> learned;
  for (const LoadedSample& sample : samples) {
    if (sample.sample.ids.size() == 1) {  // nothing to learn
      alone.push_back(0.0);
      learned.push_back(0);
      continue;
    }
    const TokenLosses losses = token_losses(model, collated(model, {sample}, false));
    sums.push_back(losses.nll_M.sum());
    alone.push_back(sums.back().item<double>());
    learned.push_back(losses.nll_M.numel());
  }
  int64_t tokens = 0;
  for (const int64_t count : learned)
    tokens += count;
  const auto expected = gradients(at::stack(sums).sum() / static_cast<double>(tokens), tensors);

  const Batch batch = collated(model, samples, true);
  CHECK(batch.ids_BT.size(0) == 1);
  CHECK(batch.ids_BT.size(1) == batch.lengths_B.sum().item<int64_t>());
  for (const auto checkpointing : {Checkpointing::none, Checkpointing::feed_forward, Checkpointing::block}) {
    ForwardOptions options;
    options.checkpointing = checkpointing;
    const TokenLosses losses = token_losses(model, batch, options);
    const SampleSums packed = sum_by_sample(losses, samples.size());
    CHECK(packed.tokens == learned);
    // Float32 sums in another order.
    for (size_t i = 0; i < alone.size(); ++i)
      CHECK(packed.nll[i] == Approx(alone[i]).epsilon(1e-5).margin(1e-6));
    const auto actual = gradients(losses.nll_M.mean(), tensors);
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(relative_error(actual[i], expected[i]) < 1e-5);
  }
  CHECK(find_nonfinite(model, batch) == "");
}

TEST_CASE("a packed sample does not depend on what lies beside it") {
  const Llava model = load_dense(source_of(model_fixture("gqa")));
  std::vector<LoadedSample> samples = make_samples(model);
  const SampleSums before =
      sum_by_sample(token_losses(model, collated(model, samples, true)), samples.size());
  samples[1] = make_sample(model, 2, -1, 77);
  const SampleSums after = sum_by_sample(token_losses(model, collated(model, samples, true)), samples.size());
  for (size_t i = 0; i < samples.size(); ++i)
    CHECK((before.nll[i] == after.nll[i]) == (i != 1));
}
