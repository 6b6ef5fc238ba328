// Passes dealt by hand; a step's losses and gradients in full rows against a plain restatement in float64
// that computes each sample alone.
#include "train/passes.h"

#include <catch2/catch.hpp>

#include "compare_tensors.h"
#include "reference_training.h"
#include "temporary_folder.h"
#include "tiny_decoder.h"
#include "train/gradients.h"

using namespace qslaw;

namespace {

constexpr int64_t kPicture = 5;  // tokens

std::vector<LoadedSample> load_all(const ListDataset& data) {
  std::vector<LoadedSample> loaded;
  for (int64_t i = 0; i < data.size(); ++i)
    loaded.push_back({data.at(i), {}});
  return loaded;
}

std::vector<std::vector<size_t>> members_of(const std::vector<Pass>& passes) {
  std::vector<std::vector<size_t>> members;
  for (const Pass& pass : passes)
    members.push_back(pass.samples);
  return members;
}

std::vector<double> weights_of(const std::vector<Pass>& passes) {
  std::vector<double> weights;
  for (const Pass& pass : passes)
    weights.push_back(pass.weight);
  return weights;
}

LoopOptions full_rows(int64_t length) {
  LoopOptions loop;
  loop.packing = true;
  loop.packed_length = length;
  return loop;
}

/// Five samples of 4, 9, 3, 6, 2 tokens, of which 1, 2, 1, 3, 1 are learned.
std::vector<LoadedSample> five_samples() {
  constexpr int64_t kLengths[] = {4, 9, 3, 6, 2}, kLearned[] = {1, 2, 1, 3, 1};
  return load_all(make_samples(
      5, [&](int64_t i) { return kLengths[i]; }, [&](int64_t i) { return kLearned[i]; }));
}

}  // namespace

TEST_CASE("passes: micro-batches in order, which count alike") {
  LoopOptions loop;
  loop.micro_batch_size = 2;
  const auto passes = make_passes(five_samples(), loop, kPicture);
  CHECK(members_of(passes) == std::vector<std::vector<size_t>>{{0, 1}, {2, 3}, {4}});
  CHECK(weights_of(passes) == std::vector<double>(3, 1.0 / 3.0));
  CHECK(make_passes({}, loop, kPicture).empty());
}

TEST_CASE("passes: full rows, which count by their learned tokens") {
  // 9 alone; 6 and 4; 3 and 2. Of 8 learned tokens these have 2, 4 and 2.
  const auto passes = make_passes(five_samples(), full_rows(10), kPicture);
  CHECK(members_of(passes) == std::vector<std::vector<size_t>>{{1}, {3, 0}, {2, 4}});
  CHECK(weights_of(passes) == std::vector<double>{0.25, 0.5, 0.25});
  CHECK(make_passes({}, full_rows(10), kPicture).empty());
}

TEST_CASE("passes: a picture takes all its tokens in a row") {
  std::vector<LoadedSample> samples = five_samples();  // of them 2 (3 tokens) and 4 (2 tokens)
  samples = {samples[2], samples[4]};
  samples[1].sample.ids[0] = kImagePlaceholder;  // now 6
  CHECK(make_passes(samples, full_rows(9), kPicture).size() == 1);
  CHECK(make_passes(samples, full_rows(8), kPicture).size() == 2);
}

TEST_CASE(
    "full rows: a step's losses and gradients are those of its samples alone, over its learned tokens") {
  // Each sample in a row of its own, two together, all in one.
  const int64_t length = GENERATE(1, 14, 1000);
  INFO("packed_length " << length);
  const TemporaryFolder folder;
  Llava model = tiny_decoder(8);
  const ReferenceTraining reference(copy_tensors(model));
  TrainTask task = make_task(model, folder.path());
  task.loop = full_rows(length);
  task.loop.checkpointing = GENERATE(Checkpointing::none, Checkpointing::block);
  task.groups = language_groups(model, 0.01, 0.0);
  std::vector<LoadedSample> loaded = load_all(make_samples(
      8, [](int64_t i) { return 4 + 5 * i % 7; }, [](int64_t i) { return 1 + i % 3; }));
  // Some count as samples with pictures, whose features this decoder does not need.
  std::vector<Sample> all, with, without;
  for (LoadedSample& one : loaded) {
    all.push_back(one.sample);
    const bool picture = all.size() % 3 == 0;
    (picture ? with : without).push_back(one.sample);
    if (picture) one.sample.pictures.emplace_back("a.png");
  }
  const StepGradients step = accumulate_gradients(task, 0, loaded);

  // Float32 against float64: some 1e-6 of each loss, and of a gradient more where terms cancel.
  const auto mean_of = [&](const std::vector<Sample>& samples) {
    return Approx(reference.mean_nll(samples).item<double>()).epsilon(1e-5);
  };
  CHECK(step.metrics.loss() == mean_of(all));
  const nlohmann::json line = step.metrics.to_json();
  CHECK(line.at("loss_picture").get<double>() == mean_of(with));
  CHECK(line.at("loss_text").get<double>() == mean_of(without));
  CHECK(line.at("samples_picture") == 2);
  CHECK(line.at("samples_text") == 6);
  int64_t tokens = 0;
  for (const Sample& sample : all)
    tokens += static_cast<int64_t>(sample.ids.size());
  CHECK(step.metrics.tokens() == tokens);

  torch::autograd::backward({reference.mean_nll(all)}, {});
  for (const auto& [name, tensor] : language_slots(model)) {
    INFO(name);
    CHECK(relative_error(tensor->grad(), reference.parameters().at(name).grad()) < 1e-4);
  }
}
