// What the estimates take the decoder's linears for.
#include "recipe/estimate.h"

#include <catch2/catch.hpp>

#include "small_model.h"

using namespace qslaw;

namespace {

constexpr int64_t kLinears = 4 * 64 * 64 + 3 * 64 * 128;

int64_t weights(const std::string& sections, const std::string& stage,
                const std::optional<PackedLinears>& brought = {}) {
  const Recipe recipe = read_text(kHead + sections);
  return estimate_stage(recipe, stage, small_config(), {}, brought).weights;
}

}  // namespace

TEST_CASE("estimate: the linears of model.stages are dense, or what their file says") {
  REQUIRE(count_model(small_config()).linears == kLinears);
  const std::string stages = "  stages: [a]\n", eval = "eval: {benchmarks: [{kind: speed}]}\n",
                    two_bits = "quantize: {bits: 2, group_size: 32}\n";
  for (const auto& [section, stage] : {std::pair<std::string, std::string>{kTune, "tune"}, {eval, "eval"}}) {
    INFO(stage);
    const int64_t dense = weights(section, stage);  // in bfloat16
    // A projector or a fully tuned model.
    CHECK(weights(stages + section, stage) == dense);
    CHECK(weights(stages + section, stage, PackedLinears{777, 32}) == dense - 2 * kLinears + 777);
    // The recipe's own.
    const int64_t own = kLinears / 4 + kLinears / 32 * 6;
    CHECK(weights(two_bits + section, stage) == dense - 2 * kLinears + own);
    CHECK(weights(stages + two_bits + section, stage) == dense - 2 * kLinears + own);
  }
}

TEST_CASE("estimate: a rank beyond all numbers of bytes") {
  const Recipe recipe =
      read_text(kHead + "tune: {lora: {rank: 4000000000000000000}, data: {kind: text, path: a.txt}}\n");
  CHECK(estimate_stage(recipe, "tune", small_config(), {}).total() > int64_t{1} << 50);
}

TEST_CASE("estimate: only stages that learn hold what a backward pass makes resident") {
  const auto program = [](const std::string& sections, const std::string& stage) {
    return estimate_stage(read_text(kHead + sections), stage, small_config(), {}).program;
  };
  const int64_t plain = program("eval: {benchmarks: [{kind: speed}]}\n", "eval");
  CHECK(program("quantize: {group_size: 32}\n", "quantize") == plain);
  CHECK(program("quantize: {method: omniquant, calibration: {kind: text, path: a.txt}}\n", "quantize") >
        plain);
  CHECK(program(kTune, "tune") > plain);
}

TEST_CASE("estimate: text alone trains no projector") {
  DataShape data;
  const auto optimizer = [&](const std::string& method) {
    const Recipe recipe =
        read_text(kHead + "tune: {method: " + method + ", data: {kind: text, path: a.txt}}\n");
    return estimate_stage(recipe, "tune", small_config(), data).optimizer;
  };
  const int64_t with = optimizer("lora"), alone = optimizer("projector");
  data.has_pictures = false;
  CHECK(with - optimizer("lora") == alone);
}

TEST_CASE("estimate: an embedding table of its own is not read into memory unless it is trained") {
  LlavaConfig tied = small_config();
  tied.language.tied_head = true;
  const auto weights_of = [](const std::string& sections, const LlavaConfig& config) {
    return estimate_stage(read_text(kHead + sections), "tune", config, {}).weights;
  };
  const std::string full = "tune: {method: full, data: {kind: text, path: a.txt}}\n";
  CHECK(weights_of(kTune, tied) == weights_of(kTune, small_config()));  // the head alone
  CHECK(weights_of(full, small_config()) - weights_of(full, tied) == 4 * 100 * 64);
}

TEST_CASE("estimate: a GPU holds one block's dense weights where packed ones run again") {
  LlavaConfig config = small_config();
  config.language.layers = 3;
  // What a GPU's estimate has above the CPU's.
  const auto kept = [&](const std::string& sections, const std::string& stage) {
    const Recipe recipe = read_text(kHead + sections);
    const auto activations = [&](c10::Device device) {
      return estimate_stage(recipe, stage, config, {}, {}, device).activations;
    };
    return activations(c10::kCUDA) - activations(c10::kCPU);
  };
  const std::string packed = "quantize: {bits: 4, group_size: 32}\n", wide = "  dtype: float32\n";
  const auto tune = [](const std::string& checkpointing) {
    return "tune: {data: {kind: text, path: a.txt}, checkpointing: " + checkpointing + "}\n";
  };
  CHECK(kept(packed + tune("none"), "tune") == 0);
  CHECK(kept(packed + tune("feed_forward"), "tune") == 2 * 3 * 64 * 128);
  CHECK(kept(packed + tune("block"), "tune") == 2 * kLinears);
  CHECK(kept(wide + packed + tune("block"), "tune") == 4 * kLinears);
  CHECK(kept(tune("block"), "tune") == 0);  // dense weights are there as it is
  const auto warmup = [](const std::string& first_layer) {
    return "warmup: {first_layer: " + first_layer +
           ", checkpointing: block, phases: [{text: {kind: text, path: a.txt}}]}\n";
  };
  // Scratch of the blocks that learn: three matrices in float32, as large as the largest linear.
  const int64_t scratch = 3 * 4 * 64 * 128;
  CHECK(kept(wide + packed + warmup("0"), "warmup") == 0);  // no block is packed
  CHECK(kept(wide + packed + warmup("1"), "warmup") == 4 * kLinears - scratch);
  CHECK(kept(packed + warmup("1"), "warmup") == 0);
}

TEST_CASE("estimate: packed samples take the room of their own lengths") {
  DataShape data;
  data.longest = 1000;
  data.mean_tokens = 100;
  const auto activations = [](const std::string& loop, const DataShape& shape) {
    const Recipe recipe = read_text(
        kHead + "tune: {data: {kind: text, path: a.txt}, batch_size: 8, micro_batch_size: 8" + loop + "}\n");
    return static_cast<double>(estimate_stage(recipe, "tune", small_config(), shape).activations);
  };
  const double scratch = activations("", {});  // whatever the lengths
  CHECK((activations("", data) - scratch) / (activations(", packing: true", data) - scratch) ==
        Approx(8000.0 / 1700.0));
}

TEST_CASE("estimate: full rows hold what they are filled to, the longest sample, or all of a step") {
  DataShape data;
  data.longest = 1000;
  data.mean_tokens = 100;
  const auto activations = [](const std::string& sections, const std::string& stage, const DataShape& shape) {
    const Recipe recipe = read_text(kHead + sections);
    return static_cast<double>(estimate_stage(recipe, stage, small_config(), shape).activations);
  };
  const std::string text = "{kind: text, path: a.txt}";
  const auto tune = [&](const std::string& loop) {
    const std::string section = "tune: {data: " + text + ", batch_size: 8" + loop + "}\n";
    return activations(section, "tune", data) - activations(section, "tune", {});
  };
  const double of_one = tune(", micro_batch_size: 1");  // 1000 tokens
  const auto rows_of = [&](int length) {
    return tune(", packing: true, packed_length: " + std::to_string(length)) / of_one;
  };
  CHECK(rows_of(500) == Approx(1.0));
  CHECK(rows_of(1200) == Approx(1.2));
  CHECK(rows_of(5000) == Approx(1.7));  // 8 samples have no more

  // A phase's own step counts.
  const auto warmup = [&](int batch_size, const std::string& phase) {
    return activations(
        "quantize: {group_size: 32}\nwarmup: {first_layer: 0, batch_size: " + std::to_string(batch_size) +
            ", packing: true, packed_length: 5000, phases: [{text: " + text + phase + "}]}\n",
        "warmup", data);
  };
  CHECK(warmup(8, ", batch_size: 16") == warmup(16, ""));
  CHECK(warmup(8, ", batch_size: 16") > warmup(8, ""));
  // Rows of 1000 tokens hold 10 samples of the mean length, with a learned token in each.
  const auto logits = [&](int64_t learned) {
    DataShape learns = data;
    learns.mean_learned = static_cast<double>(learned);
    return activations("tune: {data: " + text + ", packing: true, packed_length: 1000}\n", "tune", learns);
  };
  CHECK(logits(1) - logits(0) == 10 * 100 * 2);  // of 100 values in bfloat16
}

TEST_CASE("estimate: warmup learns a scale for each group of the packed file") {
  const std::string warmup =
      "  stages: [a]\nwarmup: {first_layer: 0, train_projector: false, phases: "
      "[{text: {kind: text, path: a.txt}}]}\n";
  const Recipe recipe = read_text(kHead + warmup);
  for (const int64_t group : {32, 64, 128}) {
    const StageEstimate estimate =
        estimate_stage(recipe, "warmup", small_config(), {}, PackedLinears{1000, group});
    CHECK(estimate.optimizer == 8 * (kLinears / group));
    CHECK(estimate.gradients == 4 * (kLinears / group));
  }
}
