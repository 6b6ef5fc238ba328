// OmniQuant against a restatement in float64 PyTorch (scripts/fixtures/make_omniquant_fixtures.py), over a
// model of two blocks.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "core/text.h"
#include "kernels/adamw.h"
#include "model/model_fixture.h"
#include "quant/quantize.h"
#include "quant/weight_clipping.h"
#include "quantize_result.h"

using namespace qslaw;

namespace {

constexpr int64_t kGroup = 32, kLayers = 2, kBatches = 2, kEpochs = 2;
constexpr double kRate = 0.3;
// Of the largest factor or gradient of a linear. A rounding error of a small gradient becomes, through
// AdamW's normalization, a share of a step of 0.3; the fixture's maker lets a float32 run err by a tenth of
// this (it errs by 2e-5).
constexpr double kFactorError = 1e-3;
// Factors of 5 that err by kFactorError, times the slope of log sigmoid there (at most 0.06 behind 2.7).
constexpr double kScaleError = 3e-4;
// Steps from a tie within which a code may go either way: 15 steps of a scale that errs by 7e-6 (float32
// PyTorch's by 2e-6).
constexpr double kNearTie = 1e-4;

// The language part; the samples have no pictures, so any tower serves.
ModelSource tiny_source() {
  at::set_num_threads(1);  // threads that wait for each other cost more than these products
  ModelSource source;
  source.language = std::filesystem::path(QSLAW_FIXTURES) / "omniquant";
  source.vision = model_fixture("three_parts") / "vision";
  return source;
}

SafetensorsFile expected_file() {
  return SafetensorsFile(std::filesystem::path(QSLAW_FIXTURES) / "omniquant" / "expected.safetensors");
}

// What the restatement computed of one block.
class Golden {
 public:
  Golden(int bits, int64_t layer) : file_(expected_file()), prefix_(concat("b", bits, ".", layer, ".")) {}
  at::Tensor of(const std::string& name) const { return file_.tensor(prefix_ + name); }
  at::Tensor lengths_B(int64_t batch) const { return file_.tensor(concat("lengths.", batch)); }

 private:
  SafetensorsFile file_;
  std::string prefix_;
};

std::vector<Batch> calibration() {
  const SafetensorsFile file = expected_file();
  std::vector<Batch> batches(kBatches);
  for (int64_t i = 0; i < kBatches; ++i) {
    batches[static_cast<size_t>(i)].ids_BT = file.tensor(concat("ids.", i));
    batches[static_cast<size_t>(i)].lengths_B = file.tensor(concat("lengths.", i));
  }
  return batches;
}

// Puts learnable clipping around the block's weights.
std::map<std::string, ClippedLinear*> clip(LlamaBlock& block, int bits) {
  std::map<std::string, ClippedLinear*> clipped;
  for (auto& [name, linear] : block_linears(block)) {
    auto made = std::make_unique<ClippedLinear>((*linear)->dense_weight(at::kFloat), kGroup, bits);
    clipped[name] = made.get();
    *linear = std::move(made);
  }
  return clipped;
}

// Mean squared difference over the tokens of a batch, on the inputs and targets of the restatement.
at::Tensor block_loss(const Llava& model, int64_t layer, const Golden& golden, int64_t batch) {
  const at::Tensor inputs = golden.of(concat("inputs.", batch)),
                   targets = golden.of(concat("targets.", batch));
  const at::Tensor lengths_B = golden.lengths_B(batch);
  const Llama& language = model.language;
  const RopeTable rope = rope_table_of_length(language.rope_frequencies, inputs.size(1), at::kFloat);
  const at::Tensor outputs =
      block_forward(language.blocks[static_cast<size_t>(layer)], language.config, inputs, rope);
  std::vector<at::Tensor> differences;
  for (int64_t b = 0; b < inputs.size(0); ++b)
    differences.push_back((outputs[b] - targets[b]).narrow(0, 0, lengths_B[b].item<int64_t>()));
  return at::cat(differences).square().mean();
}

// One linear of the quantized model and its row of the report.
void check_linear(const PackedWeight& packed, const nlohmann::json& row, const at::Tensor& weight_NK,
                  const Golden& golden, const std::string& name) {
  const at::Tensor scale = golden.of(name + ".scale");
  CHECK(at::allclose(packed.grid.scale, scale, kScaleError, 0.0));
  CHECK(at::equal(packed.grid.zero, golden.of(name + ".zero")));
  const at::Tensor steps = weight_NK.view({weight_NK.size(0), -1, kGroup}) / scale.unsqueeze(-1);
  const at::Tensor clear = ((steps - steps.floor() - 0.5).abs() > kNearTie).view(weight_NK.sizes());
  const at::Tensor codes_NK = unpack_codes(packed.codes, packed.bits, weight_NK.size(1));
  CHECK(at::equal(codes_NK.masked_select(clear), golden.of(name + ".codes").masked_select(clear)));
  const double high = at::sigmoid(golden.of(name + ".u")).mean().item<double>();
  const double low = at::sigmoid(golden.of(name + ".l")).mean().item<double>();
  CHECK(row.at("clip_high").get<double>() == Approx(high).epsilon(kScaleError));
  CHECK(row.at("clip_low").get<double>() == Approx(low).epsilon(kScaleError));
}

}  // namespace

TEST_CASE("clipping factors: their gradients and four steps agree with the restatement") {
  const int bits = GENERATE(2, 4);
  const int64_t layer = GENERATE(0, 1);
  INFO(bits << " bits, block " << layer);
  const Golden golden(bits, layer);
  Llava model = load_dense(tiny_source());
  const auto clipped = clip(model.language.blocks[static_cast<size_t>(layer)], bits);
  std::vector<at::Tensor> factors;
  for (const auto& [name, linear] : clipped)
    factors.insert(factors.end(), {linear->upper(), linear->lower()});
  AdamW optimizer(factors, {});
  for (int64_t step = 0; step < kEpochs * kBatches; ++step) {
    torch::autograd::backward({block_loss(model, layer, golden, step % kBatches)}, {});
    for (const auto& [name, linear] : clipped) {
      if (step > 0) break;
      INFO(name);
      CHECK(relative_error(linear->upper().grad(), golden.of(name + ".du")) < kFactorError);
      CHECK(relative_error(linear->lower().grad(), golden.of(name + ".dl")) < kFactorError);
    }
    optimizer.step(kRate);
  }
  for (const auto& [name, linear] : clipped) {
    INFO(name);
    CHECK(relative_error(linear->upper().detach(), golden.of(name + ".u")) < kFactorError);
    CHECK(relative_error(linear->lower().detach(), golden.of(name + ".l")) < kFactorError);
  }
}

TEST_CASE("omniquant: grids, codes and losses of both blocks agree with the restatement") {
  const int bits = GENERATE(2, 4);
  const ModelSource source = tiny_source();
  QuantizeTask task{source, read_config(source), {}, at::kFloat, at::kCPU, calibration(), {}};
  task.options.method = "omniquant";
  task.options.bits = bits;
  task.options.group_size = kGroup;
  task.options.omniquant = {kEpochs, kRate, 2};
  const QuantizeResult result = quantize_all(task);
  const auto& blocks = result.report.at("blocks");
  const auto& rows = result.report.at("layers");
  REQUIRE(blocks.size() == 2);
  REQUIRE(rows.size() == 14);
  Llava dense = load_dense(source);
  size_t next = 0;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const Golden golden(bits, layer);
    const auto index = static_cast<size_t>(layer);
    const at::Tensor loss = golden.of("loss");
    // Sums of a thousand float32 squares; learning moves the loss by a hundred times as much or more.
    CHECK(blocks[index].at("loss_before").get<double>() == Approx(loss[0].item<double>()).epsilon(1e-4));
    CHECK(blocks[index].at("loss_after").get<double>() == Approx(loss[1].item<double>()).epsilon(1e-4));
    for (auto& [name, linear] : block_linears(dense.language.blocks[index])) {
      const std::string full = concat("model.layers.", layer, ".", name);
      INFO(full << ", " << bits << " bits");
      REQUIRE(rows[next].at("name") == full);
      check_linear(*result.language.weights.at(full), rows[next], (*linear)->dense_weight(at::kFloat), golden,
                   name);
      ++next;
    }
  }
}
