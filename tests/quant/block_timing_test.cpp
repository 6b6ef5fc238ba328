// How long OmniQuant is expected to take, from measured parts; no test looks at how long anything takes.
#include "quant/block_timing.h"

#include <catch2/catch.hpp>

#include "model/load.h"
#include "temporary_folder.h"
#include "tiny_model.h"

using namespace qslaw;

TEST_CASE("a block's seconds are those of all its passes") {
  const BlockPasses passes{.full = 1.0, .clipped = 10.0, .step = 100.0, .packing = 1000.0, .packed = 10000.0};
  // Three batches: targets, the error twice, packed inputs of the next block, five epochs; codes once.
  CHECK(block_seconds(passes, 3, 5) == 3 * 1.0 + 6 * 10.0 + 15 * 100.0 + 1000.0 + 3 * 10000.0);
  CHECK(block_seconds(passes, 1, 0) == 1.0 + 20.0 + 1000.0 + 10000.0);
}

TEST_CASE("a step that would take long is measured with fewer tokens") {
  CHECK(tokens_within(2048, 0.001, 4.0) == 2048);
  CHECK(tokens_within(2048, 0.001, 2.048) == 2048);
  CHECK(tokens_within(2048, 0.25, 128.0) == 512);
  CHECK(tokens_within(2048, 1.0, 3.0) == 64);   // fewer say nothing of many
  CHECK(tokens_within(40, 1000.0, 3.0) == 40);  // there are no more
}

TEST_CASE("blocks that are left take as long as those that are finished did") {
  CHECK(remaining_seconds({10.0, 14.0}, 2, 32) == 30 * 12.0);
  CHECK(remaining_seconds({10.0}, 0, 32) == 320.0);  // all anew
  CHECK(remaining_seconds({10.0, 14.0}, 3, 3) == 0.0);
}

TEST_CASE("every part of a block's work is measured on the model's shapes") {
  const TemporaryFolder folder;
  const LlavaConfig config = read_config(write_tiny_model(folder.path()));
  QuantizeOptions options;
  options.method = "omniquant";
  options.bits = GENERATE(2, 3, 4);
  options.group_size = 32;
  options.omniquant.batch_size = 2;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const BlockPasses passes = measure_block_passes(config.language, options, 24, dtype, at::kCPU);
    for (const double seconds : {passes.full, passes.clipped, passes.step, passes.packing, passes.packed})
      CHECK(seconds > 0.0);
  }
}
