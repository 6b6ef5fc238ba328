// Training on a GPU, where there is one: the same bits each time, stopped and resumed too, and the CPU's
// losses.
#include <catch2/catch.hpp>

#include "core/interrupt.h"
#include "kernels/gpu_case.h"
#include "packed_case.h"
#include "report/metrics.h"
#include "temporary_folder.h"
#include "tiny_decoder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

constexpr int64_t kSteps = 5;

// LoRA with dropout on packed weights; a request to stop behind step `stop_behind`.
struct Run {
  Run(const fs::path& folder, at::Device device, const std::string& states)
      : model(seeded_decoder(device, seeded_packed_linears(device))),
        data(make_samples(
            12, [](int64_t i) { return 6 + i % 3; }, [](int64_t) { return 3; })) {
    at::set_num_threads(1);  // threads that wait for each other cost more than these products
    task = make_task(model, folder);
    task.dropout = std::make_shared<DropoutKey>();
    adapter = attach_lora(model.language, {4, 8.0, 0.2}, task.dropout, 7, device);
    task.groups = {lora_group(adapter, 0.01, 0.0)};
    task.phases = {phase_in_order(data, kSteps, 4)};
    task.optimizer.states = states;
    task.heldout_every = 1;
    task.heldout = [this] {
      if (measured++ == stop_behind) request_stop();
      return nlohmann::json{{"measurement", measured}};
    };
  }

  Llava model;
  ListDataset data;
  std::vector<LoraLinear*> adapter;
  TrainTask task;
  int64_t measured = 0, stop_behind = -1;
};

struct End {
  NamedTensors adapter;
  std::vector<double> losses;
};

End finish(Run& run, bool resume) {
  train(run.task, resume);
  End end;
  for (const auto& [name, tensor] : lora_tensors(run.adapter))
    end.adapter.emplace_back(name, tensor.detach().cpu().clone());
  for (const auto& line : read_metrics(run.task.folder / "metrics.jsonl")) {
    if (line.contains("loss")) end.losses.push_back(line.at("loss").get<double>());
  }
  return end;
}

End uninterrupted(at::Device device, const std::string& states) {
  const TemporaryFolder folder;
  Run run(folder.path(), device, states);
  return finish(run, false);
}

void require_same_end(const End& actual, const End& expected) {
  CHECK(actual.losses == expected.losses);
  REQUIRE(actual.adapter.size() == expected.adapter.size());
  for (size_t i = 0; i < expected.adapter.size(); ++i) {
    INFO(expected.adapter[i].first);
    CHECK(at::equal(actual.adapter[i].second, expected.adapter[i].second));
  }
}

}  // namespace

TEST_CASE("a GPU's training gives the same bits each time, stopped and resumed too", "[gpu]") {
  if (!has_gpu()) return;
  const std::string states = GENERATE("float32", "int8");
  INFO(states);
  const End expected = uninterrupted(kGpu, states);
  CHECK(expected.losses.size() == kSteps);
  require_same_end(uninterrupted(kGpu, states), expected);
  const TemporaryFolder folder;
  {
    Run run(folder.path(), kGpu, states);
    run.stop_behind = 2;
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  Run resumed(folder.path(), kGpu, states);
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("a GPU's training has the CPU's losses", "[gpu]") {
  if (!has_gpu()) return;
  const End expected = uninterrupted(at::kCPU, "float32"), actual = uninterrupted(kGpu, "float32");
  REQUIRE(actual.losses.size() == kSteps);
  for (size_t step = 0; step < kSteps; ++step) {
    INFO("step " << step + 1);
    // The first differs by roundings alone. AdamW divides gradients by their own size, so that roundings of
    // the smallest ones, 1e-3 of these, move weights by that share of 0.01 a step.
    CHECK(actual.losses[step] == Approx(expected.losses[step]).epsilon(step == 0 ? 1e-5 : 1e-3));
  }
}
