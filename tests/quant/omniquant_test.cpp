// Learned clipping over a whole tiny decoder, its calibration data, and its start.
#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "core/interrupt.h"
#include "io/json.h"
#include "model/named_tensors.h"
#include "quant/block_store.h"
#include "quant/calibration.h"
#include "quant/packed_linear.h"
#include "quant/quantize.h"
#include "quantize_result.h"
#include "temporary_folder.h"
#include "tiny_model.h"

using namespace qslaw;

namespace {

constexpr int64_t kGroup = 32;

class OmniquantCase {
 public:
  OmniquantCase()
      : source_(write_tiny_model(folder_.path())),
        config_(read_config(source_)),
        tokenizer_(Tokenizer::load(folder_.path())) {}

  std::vector<Batch> calibration(const CalibrationOptions& options, int64_t batch_size,
                                 uint64_t seed = 5) const {
    const EncodingContext context{&tokenizer_, TemplateKind::vicuna_v1, config_.vision.features()};
    return calibration_batches(options, context, tiny_transform(), batch_size, config_.pad_token_id, seed);
  }

  QuantizeTask task(const std::string& method, int bits, int64_t epochs, std::vector<Batch> batches) const {
    QuantizeTask task{source_, config_, {}, at::kFloat, at::kCPU, std::move(batches), {}};
    task.options.method = method;
    task.options.bits = bits;
    task.options.group_size = kGroup;
    task.options.omniquant = {epochs, 0.02, 2};
    return task;
  }

  // Everything of a model of other weights, or its projector alone, in a file to be laid over this one.
  std::filesystem::path other_weights(bool projector_alone) const {
    Llava other =
        load_llava(other_source(), config_, at::kFloat, at::kCPU, dense_maker(at::kFloat, at::kCPU));
    NamedTensors tensors = projector_to_named(other.projector);
    if (!projector_alone) {
      for (const auto& slots : {language_slots(other), vision_slots(other)}) {
        for (const auto& [name, tensor] : slots)
          tensors.emplace_back(name, *tensor);
      }
    }
    const auto file = folder_.path() / (projector_alone ? "projector.safetensors" : "all.safetensors");
    write_safetensors(file, tensors);
    return file;
  }
  ModelSource other_source() const {
    ModelSource other = source_;
    other.seed += 1;
    return other;
  }

  Llava dense() const {
    return load_llava(source_, config_, at::kFloat, at::kCPU, dense_maker(at::kFloat, at::kCPU));
  }
  Llava packed(const PackedLanguage& language) const {
    return load_llava(source_, config_, at::kFloat, at::kCPU, packed_maker(language, at::kCPU));
  }

 private:
  TemporaryFolder folder_;
  ModelSource source_;
  LlavaConfig config_;
  Tokenizer tokenizer_;
};

CalibrationOptions calibration_of(const std::string& kind, int64_t samples) {
  CalibrationOptions options;
  options.samples = samples;
  options.length = 40;
  DataOptions text, pictures;
  text.kind = "text";
  text.path = demo_data("calibration.txt");
  pictures.kind = "llava";
  pictures.path = demo_data("captions.json");
  pictures.images = demo_data("pictures");
  options.data.kind = kind;
  if (kind == "text") options.data = text;
  if (kind == "llava") options.data = pictures;
  if (kind == "mix") options.text = text, options.pictures = pictures;
  return options;
}

std::vector<at::Tensor> run_blocks(const Llava& model, const Batch& batch) {
  at::NoGradGuard no_grad;
  at::Tensor x = embed_batch(model, batch);
  const at::Tensor positions = at::arange(x.size(1), at::kLong);
  const RopeTable rope = make_rope_table(model.language.rope_frequencies, positions, at::kFloat);
  std::vector<at::Tensor> outputs;
  for (const LlamaBlock& block : model.language.blocks) {
    x = block_forward(block, model.language.config, x, rope);
    outputs.push_back(x);
  }
  return outputs;
}

// Mean squared difference of each block's outputs over the tokens of a batch, averaged over the batches: the
// quantized model's blocks see what its own blocks before them gave.
std::vector<double> block_errors(const Llava& dense, const Llava& quantized,
                                 const std::vector<Batch>& batches) {
  std::vector<double> errors(dense.language.blocks.size(), 0.0);
  for (const Batch& batch : batches) {
    const auto expected = run_blocks(dense, batch), actual = run_blocks(quantized, batch);
    for (size_t l = 0; l < errors.size(); ++l) {
      double squares = 0.0;
      int64_t count = 0;
      for (int64_t b = 0; b < batch.ids_BT.size(0); ++b) {
        const int64_t length = batch.lengths_B[b].item<int64_t>();
        const at::Tensor difference = (expected[l][b] - actual[l][b]).narrow(0, 0, length).to(at::kDouble);
        squares += difference.square().sum().item<double>();
        count += difference.numel();
      }
      errors[l] += squares / static_cast<double>(count) / static_cast<double>(batches.size());
    }
  }
  return errors;
}

}  // namespace

TEST_CASE("omniquant: every block ends below where it began and below rounding to nearest") {
  const OmniquantCase omniquant;
  const int bits = GENERATE(2, 3);
  const std::string kind = GENERATE("text", "mix");
  INFO(kind << ", " << bits << " bits");
  const auto batches = omniquant.calibration(calibration_of(kind, 8), 4);
  const QuantizeResult learned = quantize_all(omniquant.task("omniquant", bits, 24, batches));
  const QuantizeResult nearest = quantize_all(omniquant.task("rtn", bits, 0, {}));
  const Llava dense = omniquant.dense();
  const auto learned_errors = block_errors(dense, omniquant.packed(learned.language), batches);
  const auto nearest_errors = block_errors(dense, omniquant.packed(nearest.language), batches);
  REQUIRE(learned.report.at("blocks").size() == 2);
  for (size_t l = 0; l < 2; ++l) {
    const auto& block = learned.report["blocks"][l];
    CHECK(block.at("loss_after").get<double>() < block.at("loss_before").get<double>());
    CHECK(learned_errors[l] < nearest_errors[l]);
    // What is reported is the error of the codes that were written; float32 sums of squares in another order.
    CHECK(block.at("loss_after").get<double>() == Approx(learned_errors[l]).epsilon(1e-3));
  }
  for (const auto& row : learned.report.at("layers")) {
    for (const char* key : {"clip_low", "clip_high"}) {
      CHECK(row.at(key) > 0.0);
      CHECK(row.at(key) < 1.0);
    }
  }
}

TEST_CASE("omniquant without epochs is the grid of ranges times sigmoid(4)") {
  const OmniquantCase omniquant;
  const int bits = GENERATE(2, 3, 4);
  const auto batches = omniquant.calibration(calibration_of("llava", 4), 2);
  const QuantizeResult start = quantize_all(omniquant.task("omniquant", bits, 0, batches));
  for (const auto& block : start.report.at("blocks"))
    CHECK(block.at("loss_before") == block.at("loss_after"));
  Llava dense = omniquant.dense();
  const auto specs = linear_specs(dense.config.language);
  size_t next = 0;
  const double top = (1 << bits) - 1;
  for (LlamaBlock& block : dense.language.blocks) {
    for (auto& [name, linear] : block_linears(block)) {
      const LinearSpec& spec = specs[next++];
      INFO(spec.name);
      const at::Tensor weight = (*linear)->dense_weight(at::kFloat).view({spec.rows, -1, kGroup});
      const at::Tensor factor = at::sigmoid(at::full({spec.rows, spec.columns / kGroup}, 4.0));
      const at::Tensor high = weight.amax(-1) * factor, low = weight.amin(-1) * factor;
      const at::Tensor scale = ((high - low) / top).clamp(1e-5, 1e4);
      const at::Tensor zero = (-low / scale).clamp(-1e4, 1e4).round();
      const at::Tensor codes = ((weight / scale.unsqueeze(-1)).round() + zero.unsqueeze(-1)).clamp(0.0, top);
      const PackedWeight& packed = *start.language.weights.at(spec.name);
      CHECK(at::equal(packed.grid.scale, scale));
      CHECK(at::equal(packed.grid.zero.to(at::kFloat), zero));
      CHECK(at::equal(unpack_codes(packed.codes, bits, spec.columns).to(at::kFloat),
                      codes.view({spec.rows, -1})));
    }
  }
}

TEST_CASE("what is quantized are the weights that lie over the checkpoint's") {
  const OmniquantCase omniquant;
  const std::string method = GENERATE("rtn", "omniquant");
  const auto batches = omniquant.calibration(calibration_of("llava", 4), 2);
  QuantizeTask over = omniquant.task(method, 4, 2, batches), other = over;
  over.source.laid_over = {omniquant.other_weights(false)};
  other.source = omniquant.other_source();
  const QuantizeResult actual = quantize_all(over), expected = quantize_all(other);
  CHECK(actual.report == expected.report);
  for (const auto& [name, weight] : expected.language.weights) {
    INFO(name);
    CHECK(at::equal(actual.language.weights.at(name)->codes, weight->codes));
  }
}

TEST_CASE("calibration goes through the projector that lies over the checkpoint's") {
  const OmniquantCase omniquant;
  const std::string kind = GENERATE("text", "llava");
  QuantizeTask plain = omniquant.task("omniquant", 3, 0, omniquant.calibration(calibration_of(kind, 4), 2));
  QuantizeTask over = plain;
  over.source.laid_over = {omniquant.other_weights(true)};
  const auto loss = [](const QuantizeResult& result) {
    return result.report.at("blocks").at(0).at("loss_before");
  };
  CHECK((loss(quantize_all(over)) == loss(quantize_all(plain))) == (kind == "text"));
}

TEST_CASE("calibration draws what its kind says") {
  const OmniquantCase omniquant;
  const std::string kind = GENERATE("text", "llava", "mix");
  const auto batches = omniquant.calibration(calibration_of(kind, 7), 3);
  REQUIRE(batches.size() == 3);  // of 3, 3 and 1
  std::vector<bool> is_text;
  std::set<std::string> ids;
  for (const Batch& batch : batches) {
    CHECK(batch.lengths_B.max().item<int64_t>() <= 40);
    is_text.insert(is_text.end(), batch.is_text.begin(), batch.is_text.end());
    ids.insert(batch.sample_ids.begin(), batch.sample_ids.end());
  }
  REQUIRE(is_text.size() == 7);
  CHECK(ids.size() == 7);
  const auto texts = std::count(is_text.begin(), is_text.end(), true);
  CHECK(texts == (kind == "text" ? 7 : kind == "llava" ? 0 : 3));
  if (kind == "mix") CHECK(is_text == std::vector<bool>{true, false, true, false, true, false, false});

  const auto again = omniquant.calibration(calibration_of(kind, 7), 3),
             other = omniquant.calibration(calibration_of(kind, 7), 3, 6);
  CHECK(at::equal(again[0].ids_BT, batches[0].ids_BT));
  CHECK(other[0].sample_ids != batches[0].sample_ids);
  CHECK_THROWS_WITH(omniquant.calibration(calibration_of(kind, 100000), 3),
                    Catch::Contains("calibration samples"));
}

TEST_CASE("calibration takes samples without anything to learn") {
  const OmniquantCase omniquant;
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "questions.json")
      << R"([{"conversations": [{"from": "human", "value": "What is 3 plus 4?"}]},
             {"conversations": [{"from": "human", "value": "And 5?"}, {"from": "gpt", "value": ""}]}])";
  CalibrationOptions options = calibration_of("llava", 2);
  options.data.path = folder.path() / "questions.json";
  const auto batches = omniquant.calibration(options, 2);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].sample_ids.size() == 2);
  CHECK(batches[0].lengths_B.min().item<int64_t>() > 2);
}

namespace {

void require_same(const QuantizeResult& actual, const QuantizeResult& expected) {
  CHECK(actual.report == expected.report);
  REQUIRE(actual.language.weights.size() == expected.language.weights.size());
  for (const auto& [name, weight] : expected.language.weights) {
    INFO(name);
    const PackedWeight& other = *actual.language.weights.at(name);
    CHECK(at::equal(other.codes, weight->codes));
    CHECK(at::equal(other.grid.scale, weight->grid.scale));
    CHECK(at::equal(other.grid.zero, weight->grid.zero));
  }
}

}  // namespace

TEST_CASE("omniquant: a stopped run goes on behind its finished blocks to the same codes and report") {
  const OmniquantCase omniquant;
  const auto batches = omniquant.calibration(calibration_of("mix", 6), 2);
  const TemporaryFolder folder;
  QuantizeTask task = omniquant.task("omniquant", 3, 3, batches);
  const QuantizeResult expected = quantize_all(task);
  task.unfinished = folder.path() / "blocks";
  quantize_all(task);
  std::filesystem::remove(task.unfinished / "block-1.json");  // killed before the second block was whole
  request_stop();
  CHECK_THROWS_WITH(quantize_all(task), Catch::Contains("--resume"));
  request_stop(false);
  const auto first = std::filesystem::last_write_time(task.unfinished / "block-0.safetensors");
  const QuantizeResult resumed = quantize_all(task);
  CHECK(std::filesystem::last_write_time(task.unfinished / "block-0.safetensors") == first);
  require_same(resumed, expected);
  CHECK(BlockStore(task.unfinished).seconds(2).size() == 2);
  write_json(task.unfinished / "block-0.json", {{"block", 1}});
  CHECK_THROWS_WITH(quantize_all(task), Catch::StartsWith("[resume] ") &&
                                            Catch::Contains("got {\"block\":1}; ") &&
                                            Catch::Contains((task.unfinished / "block-0.json").string()));
}

TEST_CASE("omniquant: the inputs of the block to go on at are in a file") {
  const OmniquantCase omniquant;
  QuantizeTask task = omniquant.task("omniquant", 3, 3, omniquant.calibration(calibration_of("mix", 6), 2));
  const QuantizeResult expected = quantize_all(task);
  const TemporaryFolder folder;
  task.unfinished = folder.path() / "blocks";
  quantize_all(task);
  const auto second = task.unfinished / "block-1.json", inputs = task.unfinished / "inputs-1.safetensors";
  std::filesystem::remove(second);

  // Nothing of the samples but their lengths is looked at again: these would not find their pictures' places.
  QuantizeTask blank = task;
  for (Batch& batch : blank.calibration)
    batch.ids_BT = at::zeros_like(batch.ids_BT);
  require_same(quantize_all(blank), expected);

  // Half a file is none: the first block's passes are made again, and the file with them.
  std::filesystem::remove(second);
  std::filesystem::rename(inputs, inputs.string() + ".tmp");
  require_same(quantize_all(task), expected);
  CHECK(std::filesystem::exists(inputs));

  // Nor is one that was cut: the finished block is as good as before, and is not learned again.
  std::filesystem::remove(second);
  const auto whole = std::filesystem::file_size(inputs);
  std::filesystem::resize_file(inputs, whole / 2);
  const auto learned = std::filesystem::last_write_time(task.unfinished / "block-0.json");
  require_same(quantize_all(task), expected);
  CHECK(std::filesystem::file_size(inputs) == whole);
  CHECK(std::filesystem::last_write_time(task.unfinished / "block-0.json") == learned);

  // All blocks are finished: not even those.
  require_same(quantize_all(blank), expected);

  std::filesystem::remove(second);
  blank.calibration.front() = omniquant.calibration(calibration_of("text", 1), 1).front();
  CHECK_THROWS_WITH(quantize_all(blank),
                    Catch::StartsWith("[resume] expected hidden states of calibration batch 0"));
}
