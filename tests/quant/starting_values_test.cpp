// Clipping factors and gamma that the authors' programs left. Oracle: the formula in float64 PyTorch
// (scripts/fixtures/make_start_fixtures.py).
#include "quant/starting_values.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "model/model_fixture.h"
#include "quant/packed_linear.h"
#include "quant/scale_linear.h"
#include "quantize_result.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

constexpr int64_t kGroup = 32, kLayers = 2, kScaledLayer = 1;
constexpr int kBits = 4;

fs::path start_fixture(const std::string& name) {
  return fs::path(QSLAW_FIXTURES) / "start" / name;
}

// The language part; no pictures are looked at, so any tower serves.
ModelSource tiny_source() {
  at::set_num_threads(1);  // threads that wait for each other cost more than these products
  ModelSource source;
  source.language = fs::path(QSLAW_FIXTURES) / "omniquant";
  source.vision = model_fixture("three_parts") / "vision";
  return source;
}

std::vector<LinearSpec> tiny_specs() {
  return linear_specs(read_config(tiny_source()).language);
}

SafetensorsFile expected_file() {
  return SafetensorsFile(start_fixture("expected.safetensors"));
}

QuantizeTask task_from(const fs::path& start, int64_t epochs) {
  QuantizeTask task{tiny_source(), read_config(tiny_source()), {}, at::kFloat, at::kCPU, {}, {}};
  task.options.method = "omniquant";
  task.options.bits = kBits;
  task.options.group_size = kGroup;
  task.options.omniquant.start = start;
  task.options.omniquant.epochs = epochs;
  return task;
}

at::Tensor codes_of(const PackedWeight& weight, const LinearSpec& spec) {
  return unpack_codes(weight.codes, kBits, spec.columns);
}

at::Tensor absorbed_codes(const SafetensorsFile& expected, const LinearSpec& spec) {
  return expected.tensor(spec.name + (spec.layer < kScaledLayer ? ".codes" : ".scaled_codes"));
}

// The tiny model as the authors publish theirs: its linears' codes multiplied out in 16 bits.
void write_absorbed_model(const fs::path& folder, at::ScalarType dtype) {
  const fs::path original = fs::path(QSLAW_FIXTURES) / "omniquant";
  fs::copy_file(original / "config.json", folder / "config.json");
  const SafetensorsFile model(original / "model.safetensors"), expected = expected_file();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : model.entries())
    tensors[name] = model.tensor(name).to(dtype);
  for (const LinearSpec& spec : tiny_specs()) {
    const at::Tensor codes = absorbed_codes(expected, spec).view({-1, kGroup}).to(at::kFloat);
    const at::Tensor steps = codes - expected.tensor(spec.name + ".zero").view({-1, 1}).to(at::kFloat);
    const at::Tensor weight = steps * expected.tensor(spec.name + ".scale").view({-1, 1});
    tensors.at(spec.name + ".weight") = weight.view({spec.rows, spec.columns}).to(dtype);
  }
  write_safetensors(folder / "model.safetensors", NamedTensors(tensors.begin(), tensors.end()));
}

// Samples of the omniquant fixture; the model of `ids` has no pictures.
std::vector<Batch> calibration() {
  const SafetensorsFile file(fs::path(QSLAW_FIXTURES) / "omniquant" / "expected.safetensors");
  std::vector<Batch> batches(1);
  batches[0].ids_BT = file.tensor("ids.0");
  batches[0].lengths_B = file.tensor("lengths.0");
  return batches;
}

// Mean squared difference of the first block's outputs over the tokens of a batch.
double first_block_error(const Llava& dense, const Llava& quantized, const Batch& batch) {
  at::NoGradGuard no_grad;
  const at::Tensor x = embed_batch(dense, batch);
  const RopeTable rope = rope_table_of_length(dense.language.rope_frequencies, x.size(1), at::kFloat);
  const auto output = [&](const Llava& model) {
    return block_forward(model.language.blocks[0], model.language.config, x, rope);
  };
  const at::Tensor squares = (output(dense) - output(quantized)).square();
  double sum = 0.0;
  int64_t count = 0;
  for (int64_t b = 0; b < x.size(0); ++b) {
    const at::Tensor tokens = squares[b].narrow(0, 0, batch.lengths_B[b].item<int64_t>());
    sum += tokens.sum().item<double>();
    count += tokens.numel();
  }
  return sum / static_cast<double>(count);
}

// A file of the fixture, changed and written as safetensors, which is read under the same names.
class ChangedStart {
 public:
  ChangedStart(const std::string& name, const std::function<void(std::map<std::string, at::Tensor>&)>& change)
      : path_(folder_.path() / "changed.safetensors") {
    const TensorFile file = open_tensor_file(start_fixture(name));
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [tensor, shape] : file.shapes)
      tensors[tensor] = file.tensor(tensor).clone();
    change(tensors);
    write_safetensors(path_, NamedTensors(tensors.begin(), tensors.end()));
  }
  const fs::path& path() const { return path_; }

 private:
  TemporaryFolder folder_;
  fs::path path_;
};

using Tensors = std::map<std::string, at::Tensor>;

std::string clipping_error(const std::function<void(Tensors&)>& change, int64_t group_size = kGroup) {
  const ChangedStart changed("omni_parameters.pth", change);
  try {
    ClippingStart(changed.path(), tiny_specs(), group_size).check_values(tiny_specs());
  } catch (const UserError& error) {
    CHECK_THAT(error.what(), Catch::Contains(changed.path().string()));
    CHECK_THAT(error.what(), Catch::Contains("key quantize.omniquant.start"));
    return error.what();
  }
  return "no error";
}

std::string gamma_error(const std::function<void(Tensors&)>& change, int64_t first_layer = kScaledLayer) {
  const ChangedStart changed("scaling.bin", change);
  try {
    GammaStart(changed.path(), tiny_specs(), kGroup, first_layer).check_values(tiny_specs());
  } catch (const UserError& error) {
    CHECK_THAT(error.what(), Catch::Contains(changed.path().string()));
    CHECK_THAT(error.what(), Catch::Contains("key warmup.start"));
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("given clipping factors: grids and codes are the formula's") {
  const QuantizeResult result = quantize_all(task_from(start_fixture("omni_parameters.pth"), 0));
  const SafetensorsFile expected = expected_file();
  const TensorFile stored = open_tensor_file(start_fixture("omni_parameters.pth"));
  REQUIRE(result.language.weights.size() == 7 * kLayers);
  size_t row = 0;
  for (const LinearSpec& spec : tiny_specs()) {
    INFO(spec.name);
    const PackedWeight& packed = *result.language.weights.at(spec.name);
    // Float32 roundings of sigmoid, products and a difference.
    CHECK(at::allclose(packed.grid.scale, expected.tensor(spec.name + ".scale"), 1e-6, 0.0));
    CHECK(at::equal(packed.grid.zero, expected.tensor(spec.name + ".zero")));
    CHECK(at::equal(codes_of(packed, spec), expected.tensor(spec.name + ".codes")));
    const auto& reported = result.report.at("layers").at(row++);
    CHECK(reported.at("name") == spec.name);
    const std::string factor = spec.name.substr(13) + ".weight_quantizer.upbound_factor";
    const double mean = at::sigmoid(stored.tensor(factor).to(at::kDouble)).mean().item<double>();
    CHECK(reported.at("clip_high").get<double>() == Approx(mean).epsilon(1e-6));
  }
}

TEST_CASE("given gamma: folded codes are the formula's, whichever of the authors' files it is in") {
  const std::string file = GENERATE("scaling_train.bin", "scaling.bin");
  INFO(file);
  const QuantizeResult result = quantize_all(task_from(start_fixture("omni_parameters.pth"), 0));
  std::vector<ScaleLinear*> scaled;
  const ModelSource source = tiny_source();
  const Llava model = load_llava(source, read_config(source), at::kFloat, at::kCPU,
                                 scale_maker(result.language, kScaledLayer, at::kCPU, scaled));
  begin_with({start_fixture(file), tiny_specs(), kGroup, kScaledLayer}, scaled);
  const PackedLanguage folded = fold_scales(result.language, scaled);
  const SafetensorsFile expected = expected_file();
  for (const LinearSpec& spec : tiny_specs()) {
    INFO(spec.name);
    const std::string codes = spec.layer < kScaledLayer ? ".codes" : ".scaled_codes";
    CHECK(at::equal(codes_of(*folded.weights.at(spec.name), spec), expected.tensor(spec.name + codes)));
  }
  // Gamma that this program wrote is the same start.
  const TemporaryFolder folder;
  NamedTensors gamma;
  for (ScaleLinear* layer : scaled)
    gamma.emplace_back(layer->spec().name + ".gamma", layer->gamma().detach());
  write_safetensors(folder.path() / "gamma.safetensors", gamma);
  const GammaStart own(folder.path() / "gamma.safetensors", tiny_specs(), kGroup, kScaledLayer);
  for (ScaleLinear* layer : scaled)
    CHECK(at::equal(own.gamma(layer->spec()), layer->gamma().detach()));
}

TEST_CASE("a language model into which gamma was absorbed is packed with the authors' codes") {
  const at::ScalarType dtype = GENERATE(at::kHalf, at::kBFloat16);
  INFO(c10::toString(dtype));
  const TemporaryFolder folder;
  write_absorbed_model(folder.path(), dtype);
  QuantizeTask task = task_from({}, 0);
  task.source.language = folder.path();
  task.options.method = "absorbed";
  const QuantizeResult result = quantize_all(task);
  const SafetensorsFile expected = expected_file();
  int64_t full_groups = 0, other_groups = 0, choices = 0;
  for (const LinearSpec& spec : tiny_specs()) {
    INFO(spec.name);
    const PackedWeight& packed = *result.language.weights.at(spec.name);
    const at::Tensor zero = expected.tensor(spec.name + ".zero");
    const at::Tensor codes = absorbed_codes(expected, spec).view({-1, kGroup});
    const at::Tensor found = codes_of(packed, spec).view({-1, kGroup});
    // The same multiples of the step everywhere; the same codes where the group uses both end codes.
    CHECK(at::equal(found.to(at::kInt) - packed.grid.zero.view({-1, 1}),
                    codes.to(at::kInt) - zero.view({-1, 1})));
    const at::Tensor full = (codes.amin(-1) == 0).logical_and(codes.amax(-1) == (1 << kBits) - 1);
    const at::Tensor same = (found == codes).all(-1).logical_and((packed.grid.zero == zero).flatten());
    CHECK(same.masked_select(full).all().item<bool>());
    full_groups += full.sum().item<int64_t>();
    other_groups += full.logical_not().sum().item<int64_t>();
    // Half a unit of the type in the last place of the largest step, 15, either way.
    const double unit = dtype == at::kHalf ? 0x1p-11 : 0x1p-8;
    CHECK(at::allclose(packed.grid.scale, expected.tensor(spec.name + ".scale"), 2 * unit, 0.0));
  }
  for (const auto& row : result.report.at("layers")) {
    choices += row.at("groups_with_choice").get<int64_t>();
    CHECK(row.at("relative_error").get<double>() < (dtype == at::kHalf ? 0x1p-11 : 0x1p-8));
  }
  CHECK(full_groups > 50);
  CHECK(other_groups > 50);
  CHECK(choices == other_groups);
}

TEST_CASE("learning goes on from given factors") {
  QuantizeTask task = task_from(start_fixture("omni_parameters.pth"), 0);
  const QuantizeResult given = quantize_all(task);
  task.options.omniquant.epochs = 12;
  task.options.omniquant.lr = 0.05;
  task.calibration = calibration();
  const QuantizeResult learned = quantize_all(task);
  const Llava dense = load_dense(tiny_source());
  const Llava packed =
      load_llava(tiny_source(), task.config, at::kFloat, at::kCPU, packed_maker(given.language, at::kCPU));
  const auto& block = learned.report.at("blocks").at(0);
  // The same weights by way of their codes; float32 sums in another order.
  CHECK(block.at("loss_before").get<double>() ==
        Approx(first_block_error(dense, packed, task.calibration[0])).epsilon(1e-3));
  CHECK(block.at("loss_after").get<double>() < block.at("loss_before").get<double>());
}

TEST_CASE("clipping factors that do not fit the model are refused in one line") {
  const std::string upper = "1.mlp.up_proj.weight_quantizer.upbound_factor";
  CHECK(clipping_error([](Tensors&) {}) == "no error");
  CHECK_THAT(clipping_error([&](Tensors& t) { t.erase(upper); }),
             Catch::Contains("expected the tensor " + upper + ", got none"));
  CHECK_THAT(clipping_error([](Tensors& t) {
               std::erase_if(t, [](const auto& entry) { return entry.first.starts_with("1."); });
             }),
             Catch::Contains("expected tensors of decoder block 1, got none"));
  CHECK_THAT(clipping_error([&](Tensors& t) { t[upper] = t[upper].slice(0, 0, 48).clone(); }),
             Catch::Contains("expected shape [96, 1] for groups of 32, got [48, 1]"));
  CHECK_THAT(clipping_error([](Tensors&) {}, 16),
             Catch::Contains("for groups of 16") && Catch::Contains("which is groups of 32"));
  CHECK_THAT(clipping_error([&](Tensors& t) { t[upper][3][0] = std::nan(""); }),
             Catch::Contains(upper + ": expected finite numbers, got NaN or infinity"));
  CHECK_THAT(clipping_error([&](Tensors& t) { t[upper] = t[upper].to(at::kLong); }),
             Catch::Contains("expected floating-point numbers, got int64"));
  CHECK_THAT(clipping_error([&](Tensors& t) { t["2" + upper.substr(1)] = t[upper].clone(); }),
             Catch::Contains("of the linears of 2 decoder blocks, got 2.mlp.up_proj"));
  CHECK_THAT(clipping_error([](Tensors& t) { t["0.qkv_smooth_scale"] = at::ones({32}); }),
             Catch::Contains("0.qkv_smooth_scale") && Catch::Contains("(LET) is not supported"));
}

TEST_CASE("gamma that does not fit the model or its first layer is refused in one line") {
  const std::string up = "1.mlp.up_proj.weight_quantizer.dynamic_scale", below = "0" + up.substr(1);
  const auto with_below = [&](float value) {
    return [&below, &up, value](Tensors& t) { t[below] = at::full_like(t[up], value); };
  };
  CHECK(gamma_error([](Tensors&) {}) == "no error");
  CHECK(gamma_error(with_below(1.0F)) == "no error");
  CHECK_THAT(gamma_error(with_below(0.5F)),
             Catch::Contains("gamma = 1 in blocks below warmup.first_layer = 1") &&
                 Catch::Contains("model.layers.0.mlp.up_proj"));
  CHECK_THAT(gamma_error([](Tensors&) {}, 0),
             Catch::Contains("expected tensors of decoder block 0, got none"));
  CHECK_THAT(gamma_error([&](Tensors& t) { t.erase(up); }),
             Catch::Contains("expected the tensor " + up + ", got none"));
  CHECK_THAT(gamma_error([&](Tensors& t) { t[up][0][0] = 0; }),
             Catch::Contains("model.layers.1.mlp.up_proj: expected numbers other than 0, got 0"));
  CHECK_THAT(gamma_error([&](Tensors& t) { t[up][0][0] = INFINITY; }),
             Catch::Contains("expected finite numbers, got NaN or infinity"));
  CHECK_THAT(gamma_error([](Tensors& t) { t["1.input_layernorm.weight"] = at::ones({32}); }),
             Catch::Contains("got 1.input_layernorm.weight"));
}

TEST_CASE("a file that runs code, is cut, or is of another kind is refused at the recipe's key") {
  const TemporaryFolder folder;
  fs::copy_file(start_fixture("omni_parameters.pth"), folder.path() / "cut.pth");
  fs::resize_file(folder.path() / "cut.pth", 5000);
  for (const fs::path& file : {start_fixture("runs_code.pth"), folder.path() / "cut.pth",
                               start_fixture("scaling.bin"), start_fixture("expected.safetensors")}) {
    INFO(file);
    CHECK_THROWS_WITH(ClippingStart(file, tiny_specs(), kGroup),
                      Catch::Contains(file.string()) && Catch::Contains("(key quantize.omniquant.start)"));
  }
  CHECK_FALSE(fs::exists(fs::current_path() / "executed"));
}
