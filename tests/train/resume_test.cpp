// Stopping anywhere and going on is the same as not stopping; what a checkpoint keeps and refuses.
#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "core/interrupt.h"
#include "quant/block_store.h"
#include "report/metrics.h"
#include "temporary_folder.h"
#include "tiny_decoder.h"
#include "train/checkpoint.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

// Two phases of LoRA with dropout and a measurement after every step: 0, 1, ..., 6.
struct Run {
  explicit Run(const fs::path& folder, const std::string& states = "float32")
      : data(make_samples(
            12, [](int64_t) { return 6; }, [](int64_t) { return 2; })) {
    fs::create_directories(folder);
    task = make_task(model, folder);
    task.dropout = std::make_shared<DropoutKey>();
    adapter = attach_lora(model.language, {2, 4.0, 0.2}, task.dropout, 7, at::kCPU);
    task.groups = {lora_group(adapter, 0.01, 0.0)};
    task.phases = {phase_in_order(data, 3, 4), phase_in_order(data, 3, 4)};
    task.loop.save_every = 2;
    task.optimizer.states = states;
    task.heldout_every = 1;
    task.heldout = [this] {
      if (measured++ == stop_within) throw Stopped("the measurement was stopped");
      if (measured - 1 == stop_behind) request_stop();
      return nlohmann::json{{"text_loss", adapter[0]->b_NR().sum().item<double>()}};
    };
  }

  Llava model = tiny_decoder(11);
  ListDataset data;
  std::vector<LoraLinear*> adapter;
  TrainTask task;
  int measured = 0, stop_within = -1, stop_behind = -1;
};

std::vector<nlohmann::json> repeatable_metrics(const fs::path& folder) {
  auto lines = read_metrics(folder / "metrics.jsonl");
  for (auto& line : lines) {
    for (const char* key : {"tokens_per_second", "data_wait_s", "step_s", "host_bytes"})
      line.erase(key);
  }
  return lines;
}

struct End {
  NamedTensors adapter;
  std::vector<nlohmann::json> metrics;
  TrainResult result;
};

End finish(Run& run, bool resume) {
  End end;
  end.result = train(run.task, resume);
  for (const auto& [name, tensor] : lora_tensors(run.adapter))
    end.adapter.emplace_back(name, tensor.detach().clone());
  end.metrics = repeatable_metrics(run.task.folder);
  return end;
}

void require_same_end(const End& actual, const End& expected) {
  for (size_t i = 0; i < expected.adapter.size(); ++i) {
    INFO(expected.adapter[i].first);
    CHECK(at::equal(actual.adapter[i].second, expected.adapter[i].second));
  }
  CHECK(actual.metrics == expected.metrics);
  CHECK(actual.result.heldout_before == expected.result.heldout_before);
  CHECK(actual.result.heldout_after == expected.result.heldout_after);
  CHECK(actual.result.first_loss == expected.result.first_loss);
  CHECK(actual.result.steps == expected.result.steps);
  CHECK(actual.result.tokens == expected.result.tokens);
}

End uninterrupted(const std::string& states = "float32") {
  const TemporaryFolder folder;
  Run run(folder.path(), states);
  return finish(run, false);
}

void cut_file(const fs::path& path) {
  fs::resize_file(path, fs::file_size(path) / 2);
}

}  // namespace

TEST_CASE("a run stopped after any step, the last of a phase too, goes on to the same end") {
  const std::string states = GENERATE("float32", "int8");
  const End expected = uninterrupted(states);
  CHECK(expected.metrics.size() == 6 + 7);
  const int step = GENERATE(range(1, 6));
  const TemporaryFolder folder;
  {
    Run run(folder.path(), states);
    run.stop_behind = step;
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
    CHECK(find_checkpoint(folder.path()) == folder.path() / ("checkpoint-" + std::to_string(step)));
  }
  Run resumed(folder.path(), states);
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("a run with full rows, stopped after any step, goes on to the same end") {
  const auto fill_rows = [](Run& run) {
    run.task.loop.packing = true;
    run.task.loop.packed_length = 12;  // two of a step's four samples
  };
  const TemporaryFolder whole, folder;
  Run never_stopped(whole.path());
  fill_rows(never_stopped);
  const End expected = finish(never_stopped, false);
  {
    Run run(folder.path());
    fill_rows(run);
    run.stop_behind = GENERATE(range(1, 6));
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  Run resumed(folder.path());
  fill_rows(resumed);
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("a run stopped within any measurement goes on to the same end") {
  const End expected = uninterrupted();
  const int measurement = GENERATE(range(0, 7));
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.stop_within = measurement;
    CHECK_THROWS_WITH(train(run.task, false), Catch::Contains("--resume"));
  }
  {
    // Stopped again at once, then killed right behind the measurement.
    Run again(folder.path());
    again.stop_within = 0;
    CHECK_THROWS_AS(train(again.task, true), Stopped);
    Run killed(folder.path());
    killed.data.broken = 0;
    if (measurement % 3 == 0 && measurement < 6) CHECK_THROWS_AS(train(killed.task, true), UserError);
  }
  Run resumed(folder.path());
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("a checkpoint is due at the end of a phase as at any other step") {
  const TemporaryFolder folder;
  Run run(folder.path());
  run.task.loop.save_every = 3;  // a phase's length
  const auto measure = run.task.heldout;
  run.task.heldout = [&] {
    if (run.measured == 4) throw UserError("the process ends behind step 4");
    return measure();
  };
  CHECK_THROWS_AS(train(run.task, false), UserError);
  CHECK(find_checkpoint(folder.path()) == folder.path() / "checkpoint-3");
}

TEST_CASE("a checkpoint is there before the first measurement, which is made after a resume and told once") {
  const End expected = uninterrupted();
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.task.heldout = [&]() -> nlohmann::json {
      CHECK(find_checkpoint(folder.path()) == folder.path() / "checkpoint-0");
      throw UserError("the process ends within its first measurement");
    };
    CHECK_THROWS_WITH(train(run.task, false), Catch::Contains("within its first measurement"));
  }
  REQUIRE(find_checkpoint(folder.path()) == folder.path() / "checkpoint-0");
  Run resumed(folder.path());
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("a run killed before its first step keeps its first measurement") {
  const End expected = uninterrupted();
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.data.broken = 0;
    CHECK_THROWS_AS(train(run.task, false), UserError);
    CHECK(find_checkpoint(folder.path()) == folder.path() / "checkpoint-0");
  }
  Run resumed(folder.path());
  require_same_end(finish(resumed, true), expected);
}

TEST_CASE("another fingerprint is refused on resume") {
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.stop_behind = 2;
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  Run other(folder.path());
  other.task.fingerprint = "g";
  CHECK_THROWS_WITH(train(other.task, true), Catch::Contains("checkpoint-2") && Catch::Contains("--restart"));
}

TEST_CASE("a state that is damaged or of another format is refused, naming the file") {
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.stop_behind = 2;
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  const fs::path file = folder.path() / "checkpoint-2" / "state.json";
  nlohmann::json state = nlohmann::json::parse(std::ifstream(file));
  REQUIRE(state.at("format") == 2);
  std::string says;
  SECTION("another format") {
    state["format"] = 1;
    says = "expected a checkpoint of format 2, got 1";
  }
  SECTION("no format") {
    state.erase("format");
    says = "expected a checkpoint of format 2, got none";
  }
  SECTION("no object") {
    state = nlohmann::json::array();
    says = "got none";
  }
  SECTION("a key is missing") {
    const std::string key = GENERATE("fingerprint", "step", "heldout_before", "initial_hashes");
    state.erase(key);
    says = "expected the key " + key + ", got none";
  }
  SECTION("a value of another type") {
    const auto [key, expected] =
        GENERATE(table<std::string, std::string>({{"fingerprint", "a text"},
                                                  {"phase_step", "a whole number from 0"},
                                                  {"seconds", "a number"},
                                                  {"measuring", "true or false"},
                                                  {"skipped", "a list of pairs of whole numbers"},
                                                  {"initial_hashes", "an object of texts"}}));
    state[key] = nlohmann::json::array({1});
    says = "expected " + expected + ", got [1] (" + file.string() + ", key " + key + ")";
  }
  SECTION("a count below 0, and a hash that is no text") {
    const std::string key = GENERATE("step", "initial_hashes");
    state[key] = key == "step" ? nlohmann::json(-1) : nlohmann::json({{"a", 1}});
    says = "key " + key;
  }
  std::ofstream(file) << state;
  Run resumed(folder.path());
  CHECK_THROWS_AS(train(resumed.task, true), UserError);
  CHECK_THROWS_WITH(train(resumed.task, true), Catch::StartsWith("[resume] ") && Catch::Contains(says) &&
                                                   Catch::Contains(file.string()));
}

TEST_CASE("a bad or cut sample counts once, however often epochs, phases and resumed runs draw it") {
  const TemporaryFolder folder;
  const auto prepare = [](Run& run) {
    run.data.broken = 5;
    run.data.cut = 7;
    run.task.phases = {phase_in_order(run.data, 6, 4), phase_in_order(run.data, 3, 4)};
    for (TrainPhase& phase : run.task.phases)
      phase.on_bad_sample = BadSamplePolicy::skip;
  };
  {
    Run run(folder.path());
    prepare(run);
    run.stop_behind = 4;  // within the second pass; both were drawn in the first
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  Run resumed(folder.path());
  prepare(resumed);
  const TrainResult result = train(resumed.task, true);
  CHECK(result.skipped_samples == 1);
  CHECK(result.skipped_long_samples == 0);
  CHECK(result.cut_samples == 1);
}

TEST_CASE("where no step was done another fingerprint starts over") {
  const End expected = uninterrupted();
  const TemporaryFolder folder;
  {
    Run run(folder.path());
    run.data.broken = 0;
    CHECK_THROWS_AS(train(run.task, false), UserError);
  }
  REQUIRE(find_checkpoint(folder.path()) == folder.path() / "checkpoint-0");
  Run other(folder.path());
  other.task.fingerprint = "g";
  require_same_end(finish(other, true), expected);
}

TEST_CASE("progress is a finished step or block") {
  const TemporaryFolder folder;
  const ParameterGroup group{"g", 0.1, 0.0, {{"a", at::zeros({2}).requires_grad_(true)}}};
  std::vector<AdamW> optimizers;
  optimizers.emplace_back(std::vector<at::Tensor>{group.tensors[0].second}, AdamWOptions{});
  CHECK_FALSE(has_progress(folder.path() / "nothing"));
  CHECK_FALSE(has_progress(folder.path()));
  save_checkpoint(folder.path(), 0, {group}, optimizers, {{"step", 0}});
  CHECK(find_checkpoint(folder.path()));
  CHECK_FALSE(has_progress(folder.path()));

  const fs::path blocks = block_checkpoint(folder.path());
  fs::create_directories(blocks);
  std::ofstream(blocks / "block-0.safetensors") << "half a block";
  CHECK_FALSE(has_progress(folder.path()));
  BlockStore(blocks).save(0, {{"omniquant", 4, 32, {}}, {{"block", 0}}});
  CHECK(has_progress(folder.path()));
  CHECK(find_checkpoint(folder.path()) == folder.path() / "checkpoint-0");  // blocks are no training run
  remove_checkpoints(folder.path());
  CHECK_FALSE(fs::exists(blocks));
  CHECK_FALSE(has_progress(folder.path()));

  save_checkpoint(folder.path(), 1, {group}, optimizers, {{"step", 1}});
  CHECK(has_progress(folder.path()));
}

TEST_CASE("a checkpoint gives back tensors, moments and state") {
  const TemporaryFolder folder;
  at::manual_seed(21);
  const auto make = [] {
    ParameterGroup group{"g", 0.1, 0.0, {}};
    for (const char* name : {"a", "b"})
      group.tensors.emplace_back(name, at::randn({3, 2}).requires_grad_(true));
    return std::vector<ParameterGroup>{group};
  };
  const bool int8_states = GENERATE(false, true);
  const auto optimizers_of = [int8_states](const std::vector<ParameterGroup>& groups) {
    AdamWOptions options;
    options.int8_states = int8_states;
    std::vector<AdamW> optimizers;
    optimizers.emplace_back(std::vector<at::Tensor>{groups[0].tensors[0].second, groups[0].tensors[1].second},
                            options);
    return optimizers;
  };
  const auto saved = make();
  auto saved_optimizers = optimizers_of(saved);
  for (auto& [name, tensor] : saved[0].tensors)
    at::Tensor(tensor).mutable_grad() = at::randn({3, 2});
  saved_optimizers[0].step(0.1);
  // What a killed write left is not looked at.
  fs::create_directories(folder.path() / "checkpoint.tmp");
  std::ofstream(folder.path() / "checkpoint.tmp" / "state.json") << "{";
  save_checkpoint(folder.path(), 8, saved, saved_optimizers, {{"step", 8}});
  save_checkpoint(folder.path(), 10, saved, saved_optimizers, {{"step", 10}});
  CHECK_FALSE(fs::exists(folder.path() / "checkpoint-8"));
  CHECK_FALSE(fs::exists(folder.path() / "checkpoint.tmp"));
  // A look changes nothing: another process may be writing there.
  fs::create_directories(folder.path() / "checkpoint.tmp");
  fs::create_directories(folder.path() / "checkpoint-x");
  REQUIRE(find_checkpoint(folder.path()) == folder.path() / "checkpoint-10");
  CHECK(fs::exists(folder.path() / "checkpoint.tmp"));
  const fs::path checkpoint = folder.path() / "checkpoint-10";

  const auto loaded = make();
  auto loaded_optimizers = optimizers_of(loaded);
  SECTION("round trip") {
    CHECK(load_checkpoint(checkpoint, loaded, loaded_optimizers) == nlohmann::json{{"step", 10}});
    for (size_t i = 0; i < 2; ++i) {
      CHECK(at::equal(loaded[0].tensors[i].second, saved[0].tensors[i].second));
      const auto expected = saved_optimizers[0].states(i), actual = loaded_optimizers[0].states(i);
      CHECK(actual.size() == (int8_states ? 5 : 3));
      for (size_t part = 0; part < expected.size(); ++part)
        CHECK(at::equal(actual[part].second, expected[part].second));
      CHECK(actual.back().second.item<float>() == 1.0F);
    }
  }
  SECTION("cut files") {
    const std::string name = GENERATE("trainable.safetensors", "optimizer.safetensors", "state.json");
    cut_file(checkpoint / name);
    CHECK_THROWS_WITH(load_checkpoint(checkpoint, loaded, loaded_optimizers), Catch::Contains(name));
    CHECK_THROWS_AS(load_checkpoint(checkpoint, loaded, loaded_optimizers), UserError);
  }
  SECTION("other tensors") {
    auto other = make();
    other[0].tensors[1].first = "c";
    auto other_optimizers = optimizers_of(other);
    CHECK_THROWS_WITH(load_checkpoint(checkpoint, other, other_optimizers), Catch::Contains("c"));
    other[0].tensors[1] = {"b", at::zeros({2, 2})};
    CHECK_THROWS_WITH(load_checkpoint(checkpoint, other, other_optimizers),
                      Catch::Contains("tensor b") && Catch::Contains("[2, 2]") && Catch::Contains("[3, 2]"));
  }
  SECTION("removed") {
    remove_checkpoints(folder.path());
    CHECK_FALSE(find_checkpoint(folder.path()));
    CHECK_FALSE(fs::exists(folder.path() / "checkpoint.tmp"));
    CHECK(fs::exists(folder.path() / "checkpoint-x"));  // not ours
  }
}

TEST_CASE("metrics written after the checkpoint are written once") {
  const End expected = uninterrupted();
  const TemporaryFolder folder;
  {
    // Killed after step 3's line; the checkpoint is that of step 2.
    Run run(folder.path());
    run.stop_behind = 2;
    CHECK_THROWS_AS(train(run.task, false), Stopped);
    request_stop(false);
  }
  std::ofstream(folder.path() / "metrics.jsonl", std::ios::app) << R"({"step": 3, "loss": 1.0})"
                                                                << "\n"
                                                                << R"({"st)";
  Run resumed(folder.path());
  require_same_end(finish(resumed, true), expected);
}
