// What stages write, where small runs do not show it (tests/e2e/disk_test.cpp).
#include "recipe/disk_estimate.h"

#include <catch2/catch.hpp>

#include "small_model.h"

using namespace qslaw;

namespace {

int64_t checkpoints(const std::string& quantize, int64_t layers) {
  LlavaConfig config = small_config();
  config.language.layers = layers;
  const Recipe recipe = read_text(kHead + "quantize: {method: " + quantize + ", group_size: 32}\n");
  return estimate_disk(recipe, "quantize", config, {}).checkpoints;
}

std::string omniquant(int64_t samples) {
  return "omniquant, calibration: {kind: text, path: a.txt, samples: " + std::to_string(samples) +
         ", length: 8}";
}

}  // namespace

TEST_CASE("disk: omniquant keeps the inputs of two blocks at a time beside its finished ones") {
  // Two hidden states of 64 bfloat16 for each of 8 tokens.
  constexpr int64_t kSample = 2 * 8 * 64 * 2;
  CHECK(checkpoints(omniquant(12), 4) - checkpoints(omniquant(2), 4) == 2 * 10 * kSample);
  // Of two blocks only the second one's are kept, of one none.
  CHECK(checkpoints(omniquant(12), 2) - checkpoints(omniquant(2), 2) == 10 * kSample);
  CHECK(checkpoints(omniquant(12), 1) == checkpoints(omniquant(2), 1));
  CHECK(checkpoints(omniquant(2), 1) > 0);
  CHECK(checkpoints("rtn", 4) == 0);
}
