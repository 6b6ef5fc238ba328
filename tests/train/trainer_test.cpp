// The training loop against a plain restatement of it in float64.
#include "train/trainer.h"

#include <catch2/catch.hpp>

#include "reference_training.h"
#include "report/metrics.h"
#include "temporary_folder.h"
#include "tiny_decoder.h"

using namespace qslaw;

namespace {

constexpr double kRate = 0.01;

// Samples of plan[step * batch_size ...], in micro-batches.
std::vector<std::vector<Sample>> micro_batches(const TrainPhase& phase, int64_t step, int64_t batch,
                                               int64_t micro) {
  std::vector<std::vector<Sample>> out;
  for (int64_t i = 0; i < batch; ++i) {
    if (i % micro == 0) out.emplace_back();
    out.back().push_back(phase.sources[0]->at(phase.plan[static_cast<size_t>(step * batch + i)].index));
  }
  return out;
}

// AdamW divides a gradient by its own size, so a relative error e of a gradient moves a weight by about e *
// rate a step. Sums of float32 numbers of unlike sign leave e up to 1e-3 in the smallest gradients, and there
// are few steps.
void require_close(Llava& model, const ReferenceTraining& reference, double rate) {
  for (const auto& [name, tensor] : language_slots(model)) {
    INFO(name);
    const at::Tensor difference = tensor->detach().to(at::kDouble) - reference.parameters().at(name).detach();
    CHECK(difference.abs().max().item<double>() < 5e-3 * rate);
  }
}

ListDataset uneven_samples() {
  return make_samples(
      12, [](int64_t i) { return 5 + i % 4; }, [](int64_t i) { return 1 + i % 3; });
}

// Only the last norm is trained.
TrainTask norm_task(Llava& model, const std::filesystem::path& folder) {
  TrainTask task = make_task(model, folder);
  make_trainable(model.language.norm_D);
  task.groups = {ParameterGroup{"norm", kRate, 0.0, {{"norm", model.language.norm_D}}}};
  return task;
}

}  // namespace

TEST_CASE("full tuning follows the equations") {
  const TemporaryFolder folder;
  const double limit = GENERATE(0.0, 0.3, 1e-7);  // the last one makes AdamW's eps count
  const auto checkpointing = GENERATE(Checkpointing::none, Checkpointing::feed_forward, Checkpointing::block);
  Llava model = tiny_decoder(1);
  ReferenceTraining reference(copy_tensors(model));
  reference.lr = kRate;
  reference.weight_decay = 0.1;
  reference.max_grad_norm = limit;

  const ListDataset data = uneven_samples();
  TrainTask task = make_task(model, folder.path());
  task.loop.checkpointing = checkpointing;
  task.optimizer.max_grad_norm = limit;
  task.groups = language_groups(model, kRate, 0.1);
  task.phases = {phase_in_order(data, 3, 4)};
  const TrainResult result = train(task, false);
  CHECK(result.steps == 3);

  const auto metrics = read_metrics(folder.path() / "metrics.jsonl");
  REQUIRE(metrics.size() == 3);
  const double cosine[] = {1.0, 0.75, 0.25};  // (1 + cos(pi i / 3)) / 2
  for (int64_t step = 0; step < 3; ++step) {
    const auto& line = metrics[static_cast<size_t>(step)];
    const auto batches = micro_batches(task.phases[0], step, 4, 2);
    std::vector<Sample> all;
    for (const auto& batch : batches)
      all.insert(all.end(), batch.begin(), batch.end());
    // Losses of 3 and more in float32, behind weights that differ as above.
    CHECK(line.at("loss").get<double>() == Approx(reference.mean_nll(all).item<double>()).epsilon(1e-4));
    const double norm = reference.step(batches, cosine[step]);
    CHECK(line.at("grad_norm").get<double>() == Approx(norm).epsilon(1e-4));
    CHECK(line.at("lr").at("language").get<double>() == Approx(kRate * cosine[step]).epsilon(1e-12));
  }
  require_close(model, reference, kRate);
}

TEST_CASE("two phases: parameters carry over, moments and schedule begin anew") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(2);
  ReferenceTraining reference(copy_tensors(model));
  reference.lr = kRate;
  const ListDataset data = uneven_samples();
  TrainTask task = make_task(model, folder.path());
  task.groups = language_groups(model, kRate, 0.0);
  task.phases = {phase_in_order(data, 2, 4), phase_in_order(data, 2, 4)};
  train(task, false);
  for (const TrainPhase& phase : task.phases) {
    reference.forget_moments();
    reference.step(micro_batches(phase, 0, 4, 2), 1.0);
    reference.step(micro_batches(phase, 1, 4, 2), 0.5);
  }
  require_close(model, reference, kRate);
}

TEST_CASE("a phase may have its own batch size and rates") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(2);
  ReferenceTraining reference(copy_tensors(model));
  const ListDataset data = uneven_samples();
  TrainTask task = make_task(model, folder.path());
  task.groups = language_groups(model, kRate, 0.0);
  task.phases = {phase_in_order(data, 2, 4), phase_in_order(data, 2, 6)};
  for (const ParameterGroup& group : task.groups)
    task.phases[1].lr[group.name] = 0.3 * kRate;
  train(task, false);
  for (const TrainPhase& phase : task.phases) {
    reference.forget_moments();
    reference.lr = phase.lr.empty() ? kRate : 0.3 * kRate;
    reference.step(micro_batches(phase, 0, phase.batch_size, 2), 1.0);
    reference.step(micro_batches(phase, 1, phase.batch_size, 2), 0.5);
  }
  require_close(model, reference, kRate);
}

TEST_CASE("accumulated gradients are those of the whole batch when all samples learn as many tokens") {
  const TemporaryFolder folder;
  const ListDataset data = make_samples(
      16, [](int64_t i) { return 5 + i % 4; }, [](int64_t) { return 3; });
  std::vector<NamedTensors> ends;
  for (int64_t micro : {1, 4, 8}) {
    Llava model = tiny_decoder(3);
    TrainTask task = make_task(model, folder.path() / std::to_string(micro));
    std::filesystem::create_directories(task.folder);
    task.loop.batch_size = 8;
    task.loop.micro_batch_size = micro;
    task.groups = language_groups(model, kRate, 0.0);
    task.phases = {phase_in_order(data, 2, 8)};
    train(task, false);
    ends.push_back(copy_tensors(model));
  }
  for (const NamedTensors& end : ends) {
    // The same sums in another order: as in require_close.
    for (size_t i = 0; i < end.size(); ++i) {
      INFO(end[i].first);
      CHECK((end[i].second - ends.back()[i].second).abs().max().item<double>() < 5e-3 * kRate);
    }
  }
}

TEST_CASE("what is frozen stays as it is, bit for bit") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(4);
  const NamedTensors before = copy_tensors(model);
  const ListDataset data = uneven_samples();
  TrainTask task = make_task(model, folder.path());
  task.dropout = std::make_shared<DropoutKey>();
  const auto adapter = attach_lora(model.language, {2, 4.0, 0.1}, task.dropout, 7, at::kCPU);
  std::vector<at::Tensor> adapter_before;
  task.groups = {lora_group(adapter, kRate, 0.0)};
  for (const auto& [name, tensor] : lora_tensors(adapter))
    adapter_before.push_back(tensor.detach().clone());
  task.phases = {phase_in_order(data, 3, 4)};
  train(task, false);

  std::map<std::string, at::Tensor> frozen(before.begin(), before.end());
  size_t linears = 0, next = 0;
  for (LoraLinear* layer : adapter) {
    const at::Tensor weight = layer->base().dense_weight(at::kFloat);
    CHECK(at::equal(weight, frozen.at("language_model." + layer->name() + ".weight")));
    ++linears;
  }
  CHECK(linears == 14);
  for (const auto& [name, tensor] : language_slots(model))  // embedding, norms, head
    CHECK(at::equal(*tensor, frozen.at(name)));
  for (const auto& [name, tensor] : lora_tensors(adapter)) {
    INFO(name);
    CHECK_FALSE(at::equal(tensor, adapter_before[next++]));
  }
}

TEST_CASE("a trainable tensor that does not move is an error that names it, behind the first two steps") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(5);
  ListDataset data = uneven_samples();
  TrainTask task = make_task(model, folder.path());
  task.groups = language_groups(model, kRate, 0.0);
  at::Tensor idle = at::ones({3});
  make_trainable(idle);
  task.groups.push_back({"idle", kRate, 0.0, {{"idle.weight", idle}}});
  SECTION("three steps") {
    task.phases = {phase_in_order(data, 3, 4)};
    const auto message = [&](bool resume) -> std::string {
      try {
        train(task, resume);
      } catch (const UserError& problem) {
        return problem.what();
      }
      return "";
    };
    const std::string first = message(false), kept = (folder.path() / "checkpoint-3").string();
    CHECK_THAT(first, Catch::Contains("idle.weight") && Catch::Contains("3 steps") && Catch::Contains(kept));
    // What was trained is there, and no step is done again.
    const at::Tensor trained = model.language.norm_D.detach().clone();
    at::NoGradGuard no_grad;
    model.language.norm_D.zero_();
    data.broken = 0;
    CHECK(message(true) == first);
    CHECK(at::equal(model.language.norm_D, trained));
  }
  SECTION("two steps: LoRA's A may yet stand where it began") {
    task.phases = {phase_in_order(data, 2, 4)};
    CHECK(train(task, false).steps == 2);
  }
}

TEST_CASE("a loss that is not finite names step, samples and place") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(6);
  const ListDataset data = uneven_samples();
  TrainTask task = norm_task(model, folder.path());
  task.phases = {phase_in_order(data, 2, 4)};
  dynamic_cast<DenseLinear&>(*model.language.blocks[1].up).weight()[0][0] = NAN;
  CHECK_THROWS_WITH(train(task, false), Catch::Contains("step 1") && Catch::Contains("decoder block 1") &&
                                            Catch::Contains("s0, s1"));
}

TEST_CASE("a gradient that is not finite stops the run before it reaches the weights, at the last step too") {
  const TemporaryFolder folder;
  Llava model = tiny_decoder(6);
  const ListDataset data = uneven_samples();
  TrainTask task = norm_task(model, folder.path());
  const at::Tensor before = model.language.norm_D.detach().clone();
  model.language.norm_D.register_hook([](const at::Tensor& gradient) { return gradient * NAN; });
  task.phases = {phase_in_order(data, 1, 4)};
  CHECK_THROWS_WITH(train(task, false), Catch::Contains("finite gradients") && Catch::Contains("step 1") &&
                                            Catch::Contains("first in norm") &&
                                            Catch::Contains("s0, s1, s2, s3"));
  CHECK(at::equal(model.language.norm_D, before));
}
