// Which keys are named where memory is short: those that lower the part they stand behind, and no others.
#include "recipe/memory_parts.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "small_model.h"

using namespace qslaw;

namespace {

const std::string kFloat = "  dtype: float32\n", kEval = "eval: {benchmarks: [{kind: speed}]}\n";

DataShape long_samples() {
  DataShape data;
  data.longest = 100000;
  data.mean_tokens = 1000;
  return data;
}

MemoryPart part_of(const std::string& text, const std::string& stage, const std::string& name) {
  const Recipe recipe = read_text(kHead + text);
  LlavaConfig config = small_config();
  config.language.layers = 3;  // of one alone, checkpointing drops nothing
  const auto parts = memory_parts(recipe, stage, estimate_stage(recipe, stage, config, long_samples()));
  const auto found =
      std::find_if(parts.begin(), parts.end(), [&](const MemoryPart& part) { return part.name == name; });
  REQUIRE(found != parts.end());
  return *found;
}

// A recipe, the same with a lower value of `key`, and the part that this makes smaller.
struct Lowered {
  std::string stage, part, key, before, after;
};

std::string omniquant(const std::string& calibration) {
  return "quantize: {method: omniquant, group_size: 32, omniquant: {batch_size: 4}, calibration: "
         "{kind: text, path: a.txt" +
         calibration + "}}\n";
}

std::string tune(const std::string& more) {
  return "tune: {data: {kind: text, path: a.txt}, batch_size: 8, micro_batch_size: 8" + more + "}\n";
}

std::string warmup(const std::string& more) {
  return "quantize: {bits: 4, group_size: 32}\nwarmup: {first_layer: 0, batch_size: 8, micro_batch_size: 8, "
         "phases: [{text: {kind: text, path: a.txt}}]" +
         more + "}\n";
}

// Samples of a step in rows of so many tokens.
std::string tune_rows(int64_t length) {
  return "tune: {data: {kind: text, path: a.txt}, packing: true, packed_length: " + std::to_string(length) +
         "}\n";
}

std::string warmup_rows(int64_t length) {
  return "quantize: {bits: 4, group_size: 32}\nwarmup: {first_layer: 0, packing: true, packed_length: " +
         std::to_string(length) + ", phases: [{text: {kind: text, path: a.txt}}]}\n";
}

std::vector<Lowered> lowered() {
  const std::string trained = "optimizer and gradients", learns = omniquant("");
  std::string one_sample = learns;
  one_sample.replace(one_sample.find("batch_size: 4"), 13, "batch_size: 1");
  std::string two_bits = warmup(""), half_rows = tune(""), half_warmup = warmup("");
  two_bits.replace(two_bits.find("bits: 4"), 7, "bits: 2");
  half_rows.replace(half_rows.find("micro_batch_size: 8"), 19, "micro_batch_size: 4");
  half_warmup.replace(half_warmup.find("micro_batch_size: 8"), 19, "micro_batch_size: 4");
  const std::string packed = "quantize: {bits: 4, group_size: 32}\n";
  return {
      {"quantize", "activations", "quantize.calibration.samples", learns, omniquant(", samples: 64")},
      {"quantize", "activations", "quantize.calibration.length", learns, omniquant(", length: 1024")},
      {"quantize", "activations", "quantize.omniquant.batch_size", learns, one_sample},
      {"quantize", "weights", "model.dtype", kFloat + learns, learns},
      {"warmup", "weights", "quantize.bits", warmup(""), two_bits},
      {"warmup", "weights", "model.dtype", kFloat + warmup(""), warmup("")},
      {"warmup", "activations", "warmup.micro_batch_size", warmup(""), half_warmup},
      {"warmup", "activations", "warmup.packed_length", warmup_rows(120000), warmup_rows(110000)},
      {"warmup", "activations", "warmup.checkpointing", warmup(""), warmup(", checkpointing: true")},
      {"warmup", trained, "warmup.optimizer.states", warmup(""), warmup(", optimizer: {states: int8}")},
      {"tune", "weights", "model.dtype", kFloat + tune(""), tune("")},
      {"tune", "weights", "a quantize section", tune(""), packed + tune("")},
      {"tune", "activations", "tune.micro_batch_size", tune(""), half_rows},
      {"tune", "activations", "tune.packed_length", tune_rows(120000), tune_rows(110000)},
      {"tune", "activations", "tune.checkpointing", tune(""), tune(", checkpointing: true")},
      {"tune", trained, "tune.lora.rank", tune(", lora: {rank: 64}"), tune(", lora: {rank: 8}")},
      {"tune", trained, "tune.optimizer.states", tune(""), tune(", optimizer: {states: int8}")},
      {"tune", trained, "tune.method", tune(", method: full"), tune(", lora: {rank: 8}")},
      {"eval", "weights", "model.dtype", kFloat + kEval, kEval},
      {"eval", "weights", "a quantize section", kEval, packed + kEval},
  };
}

}  // namespace

TEST_CASE("memory: each key that is named lowers its part of the estimate") {
  for (const Lowered& one : lowered()) {
    INFO(one.stage << ", " << one.part << ": " << one.key);
    const MemoryPart before = part_of(one.before, one.stage, one.part);
    CHECK_THAT(before.keys, Catch::Contains(one.key));
    CHECK(part_of(one.after, one.stage, one.part).bytes < before.bytes);
  }
}

TEST_CASE("memory: no key is named that changes nothing or that the recipe cannot have") {
  // One linear at a time, in the file's types.
  for (const std::string method : {"rtn", "absorbed", "nf4"}) {
    INFO(method);
    const std::string text =
        kFloat + "quantize: {method: " + method + ", group_size: " + (method == "nf4" ? "64" : "32") + "}\n";
    CHECK(part_of(text, "quantize", "weights").keys.empty());
    CHECK(part_of(text, "quantize", "activations").keys.empty());
    const Recipe recipe = read_text(kHead + text);
    CHECK(
        keys_that_lower(recipe, "quantize", estimate_stage(recipe, "quantize", small_config(), {})).empty());
  }
  CHECK(part_of(omniquant(""), "quantize", "weights").keys.empty());  // in bfloat16 already
  CHECK(part_of("  stages: [a]\n" + kEval, "eval", "weights").keys.empty());
  CHECK(part_of(tune(", method: full"), "tune", "weights").keys.empty());
  CHECK(part_of(tune_rows(120000), "tune", "activations").keys == "tune.packed_length, tune.checkpointing");
  const std::string trained = "optimizer and gradients";
  CHECK(part_of(tune(", optimizer: {states: int8}"), "tune", trained).keys == "tune.lora.rank");
  CHECK(part_of(tune(", method: projector"), "tune", trained).keys == "tune.optimizer.states (int8)");
}

TEST_CASE("memory: the keys named first are those of the largest part that has some") {
  const auto keys = [](const std::string& sections, const std::string& stage, const DataShape& data) {
    const Recipe recipe = read_text(kHead + sections);
    return keys_that_lower(recipe, stage, estimate_stage(recipe, stage, small_config(), data));
  };
  const std::string ranks = "tune: {lora: {rank: 100000}, data: {kind: text, path: a.txt}}\n";
  CHECK(keys(ranks, "tune", {}) == "tune.lora.rank, tune.optimizer.states (int8)");
  CHECK(keys("tune: {method: full, data: {kind: text, path: a.txt}}\n", "tune", {}) ==
        "tune.optimizer.states (int8), tune.method (lora)");
  CHECK(keys(kTune, "tune", long_samples()) == "tune.micro_batch_size, tune.checkpointing");
  CHECK(keys(kFloat + kEval, "eval", {}) == "model.dtype, a quantize section");
  CHECK(keys("  stages: [a]\n" + kEval, "eval", {}) == "eval.benchmarks: batch_size, max_new_tokens");
  // What is told where memory is refused: the other parts behind it.
  const Recipe small = read_text(kHead + kTune);
  const auto parts =
      memory_parts(small, "tune", estimate_stage(small, "tune", small_config(), long_samples()));
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].name == "activations");
  CHECK(parts[0].bytes > parts[1].bytes);
  CHECK(parts[1].keys == "a quantize section");
  CHECK(parts[2].keys == "tune.lora.rank, tune.optimizer.states (int8)");
}
