// What a stopped omniquant goes on from: finished blocks and the inputs of the next one.
#include "quant/block_store.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "temporary_folder.h"

using namespace qslaw;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kLayers = 5;

// A block without linears: the store looks at their file only when it loads one.
void finish(const BlockStore& store, int64_t layer) {
  store.save(layer, {{"omniquant", 4, 32, {}}, {{"block", {{"layer", layer}}}, {"layers", {1}}}});
}

BlockInputs inputs_of(double value) {
  BlockInputs inputs;
  for (const int64_t tokens : {3, 5}) {
    inputs.full_BTD.push_back(at::full({2, tokens, 4}, value, at::kBFloat16));
    inputs.quantized_BTD.push_back(at::full({2, tokens, 4}, -value, at::kBFloat16));
  }
  return inputs;
}

size_t input_files(const fs::path& folder) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    count += entry.path().filename().string().rfind("inputs-", 0) == 0 ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a block store goes on at the first block that is not finished and whose inputs are there") {
  const TemporaryFolder folder;
  const BlockStore store(folder.path() / "blocks");
  CHECK(store.first_to_pass(kLayers) == 0);
  finish(store, 0);
  CHECK(store.finished(kLayers) == 1);
  CHECK(store.first_to_pass(kLayers) == 0);  // killed before the inputs of block 1 were whole
  std::ofstream(folder.path() / "blocks" / "inputs-1.safetensors.tmp") << "half";
  CHECK(store.first_to_pass(kLayers) == 0);
  store.save_inputs(1, inputs_of(1.0));
  CHECK(store.first_to_pass(kLayers) == 1);
  finish(store, 1);
  CHECK(store.first_to_pass(kLayers) == 1);
  store.save_inputs(2, inputs_of(2.0));
  CHECK(store.first_to_pass(kLayers) == 2);
  CHECK(input_files(folder.path() / "blocks") == 1);  // those of block 1 are gone
  // Inputs that a run has left which went on at a block before them.
  store.save_inputs(4, inputs_of(4.0));
  CHECK(store.first_to_pass(kLayers) == 0);
  for (int64_t layer = 2; layer < kLayers; ++layer)
    finish(store, layer);
  CHECK(store.first_to_pass(kLayers) == kLayers);
  CHECK(BlockStore("").first_to_pass(kLayers) == 0);
}

TEST_CASE("a block store gives back the inputs it was given") {
  const TemporaryFolder folder;
  const BlockStore store(folder.path());
  const BlockInputs expected = inputs_of(0.5);
  store.save_inputs(3, expected);
  const BlockInputs actual = store.load_inputs(3, 2, at::kCPU).value();
  // A next block's file takes the place of this one.
  store.save_inputs(4, inputs_of(7.0));
  for (size_t i = 0; i < 2; ++i) {
    CHECK(actual.full_BTD.at(i).scalar_type() == at::kBFloat16);
    CHECK(at::equal(actual.full_BTD.at(i), expected.full_BTD[i]));
    CHECK(at::equal(actual.quantized_BTD.at(i), expected.quantized_BTD[i]));
  }
  CHECK_THROWS_WITH(store.load_inputs(4, 3, at::kCPU),
                    Catch::StartsWith("[resume] ") && Catch::Contains("3 calibration batches") &&
                        Catch::Contains("got those of 2") && Catch::Contains("inputs-4.safetensors"));
}

TEST_CASE("a block store gives back nothing of a damaged file") {
  const TemporaryFolder folder;
  const BlockStore store(folder.path());
  store.save_inputs(2, inputs_of(0.5));
  const fs::path file = folder.path() / "inputs-2.safetensors";
  for (const uintmax_t size : {fs::file_size(file) - 1, uintmax_t{20}, uintmax_t{0}}) {
    INFO(size << " bytes");
    fs::resize_file(file, size);
    CHECK_FALSE(store.load_inputs(2, 2, at::kCPU));
  }
}

TEST_CASE("a block store leaves one block's inputs, whatever runs before were killed at") {
  const TemporaryFolder folder;
  const BlockStore store(folder.path());
  store.keep_only_inputs(0);  // nothing to remove
  finish(store, 0);
  store.save_inputs(2, inputs_of(2.0));
  for (const char* name : {"inputs-1.safetensors", "inputs-3.safetensors.tmp", "inputs-12.safetensors"})
    std::ofstream(folder.path() / name) << "left";
  store.keep_only_inputs(2);
  CHECK(input_files(folder.path()) == 1);
  CHECK(store.load_inputs(2, 2, at::kCPU));
  CHECK(store.has(0));
  store.keep_only_inputs(0);
  CHECK(input_files(folder.path()) == 0);
  CHECK(store.has(0));
}

TEST_CASE("a block store knows how long finished blocks took") {
  const TemporaryFolder folder;
  const BlockStore store(folder.path());
  CHECK(store.seconds(kLayers).empty());
  finish(store, 0);
  CHECK(store.seconds(kLayers).empty());  // killed in between
  store.note_seconds(0, 12.5);
  finish(store, 1);
  finish(store, 2);
  store.note_seconds(2, 13.5);
  CHECK(store.seconds(kLayers) == std::vector<double>{12.5, 13.5});
  CHECK(store.load(0, {}).report.at("block").at("layer") == 0);  // still whole
}
