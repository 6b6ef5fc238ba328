// LLaVA's own layout: the fixture `original` is the model of `three_parts`.
#include "model/original_layout.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "io/json.h"
#include "model/named_tensors.h"
#include "model_fixture.h"
#include "project_python.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const fs::path kTower = model_fixture("three_parts") / "vision";

std::map<std::string, at::Tensor> language_tensors() {
  return read_safetensors(model_fixture("three_parts") / "language" / "model.safetensors");
}

// A copy of the fixture whose config.json and weights can be changed.
class OriginalModel {
 public:
  OriginalModel() {
    fs::copy(model_fixture("original"), folder_.path(), fs::copy_options::recursive);
    set("mm_vision_tower", kTower.string());
  }
  void set(const char* key, const json& value) const {
    json config = read_json(path() / "config.json");
    config[key] = value;
    write_json(path() / "config.json", config);
  }
  void write_weights(const std::map<std::string, at::Tensor>& tensors) const {
    write_safetensors(path() / "model.safetensors", NamedTensors(tensors.begin(), tensors.end()));
  }
  std::string error(const fs::path& vision = {}) const {
    try {
      ModelSource source = source_of(path());
      source.vision = vision;
      load_dense(source);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

void check_same(Llava& a, Llava& b) {
  for (const auto& slots_of : {language_slots, vision_slots, projector_slots}) {
    const auto left = slots_of(a), right = slots_of(b);
    REQUIRE(left.size() == right.size());
    REQUIRE(!left.empty());
    for (size_t i = 0; i < left.size(); ++i) {
      INFO(left[i].first);
      CHECK(at::equal(*left[i].second, *right[i].second));
    }
  }
}

}  // namespace

TEST_CASE("original layout: tensors and configuration are those of the three parts") {
  Llava parts = load_dense(three_parts_source());
  Llava original = load_dense(source_of(model_fixture("original")));
  check_same(original, parts);
  CHECK(original.config.source == parts.config.source);
  CHECK_NOTHROW(
      check_weights(source_of(model_fixture("original")), read_config(source_of(model_fixture("original")))));
}

TEST_CASE("original layout: the tower is the recipe's where config.json names none on disk") {
  const OriginalModel model;
  model.set("mm_vision_tower", "openai/clip-vit-large-patch14-336");
  const std::string error = model.error();
  CHECK_THAT(error, Catch::Contains("key mm_vision_tower") && Catch::Contains("model.vision in the recipe") &&
                        Catch::Contains("openai/clip-vit-large-patch14-336") &&
                        Catch::Contains((model.path() / "config.json").string()));
  CHECK(model.error(kTower).empty());
  CHECK(model.error(model_fixture("three_parts") / "vision_full").empty());
  ModelSource whole = source_of(model_fixture("gqa"));
  whole.vision = kTower;
  CHECK_THROWS_WITH(read_config(whole), Catch::Contains("expected no model.vision"));
}

TEST_CASE(
    "original layout: a checkpoint's own tower goes before the folder's, and image_newline is left out") {
  const OriginalModel model;
  auto tensors = language_tensors();
  tensors.merge(read_safetensors(model_fixture("three_parts") / "mm_projector.safetensors"));
  at::Tensor changed;
  for (const auto& [name, tensor] : read_safetensors(kTower / "model.safetensors")) {
    at::Tensor& copy = tensors["model.vision_tower.vision_tower." + name] = tensor.clone();
    if (name.find("pre_layrnorm.bias") != std::string::npos) changed = copy.add_(1);
  }
  tensors["model.image_newline"] = at::ones({32});
  model.write_weights(tensors);
  Llava loaded = load_dense(source_of(model.path()));
  CHECK(at::equal(loaded.vision.pre_norm.bias, changed.to(at::kFloat)));
  Llava parts = load_dense(three_parts_source());
  CHECK(at::equal(loaded.vision.patch_weight_D3pp, parts.vision.patch_weight_D3pp));
  CHECK(at::equal(loaded.projector.second.weight, parts.projector.second.weight));
}

TEST_CASE("original layout: a linear projector") {
  const OriginalModel model;
  auto tensors = language_tensors();
  const at::Tensor weight = at::randn({32, 24}), bias = at::randn({32});
  tensors["model.mm_projector.weight"] = weight;
  tensors["model.mm_projector.bias"] = bias;
  model.write_weights(tensors);
  CHECK_THAT(model.error(), Catch::Contains("model.mm_projector.0.weight"));
  model.set("mm_projector_type", "linear");
  const Llava loaded = load_dense(source_of(model.path()));
  CHECK(at::equal(loaded.projector.first.weight, weight));
  CHECK(at::equal(loaded.projector.first.bias, bias));
  model.set("mm_projector_type", nullptr);  // LLaVA's code takes a linear one then
  CHECK(load_dense(source_of(model.path())).projector.kind == ProjectorKind::linear);
}

TEST_CASE("original layout: which features are used") {
  const OriginalModel model;
  model.set("mm_vision_select_layer", -1);
  model.set("mm_vision_select_feature", "cls_patch");
  const LlavaConfig config = read_config(source_of(model.path()));
  CHECK(config.vision.feature_layer == -1);
  CHECK_FALSE(config.vision.drop_class_token);
}

TEST_CASE("original layout: what is not supported is named by its key") {
  const std::vector<std::tuple<const char*, json, std::string>> cases = {
      {"mm_use_im_start_end", true, "expected false"},
      {"mm_projector_type", "mlp3x_gelu", "expected linear or mlp2x_gelu, got mlp3x_gelu"},
      {"mm_projector_type", 2, "expected text, got 2"},
      {"mm_vision_select_layer", 5, "expected an integer from -3 to 2, got 5"},
      {"mm_vision_select_layer", "last", "expected an integer"},
      {"mm_vision_select_feature", "cls", "expected patch or cls_patch, got cls"},
      {"mm_hidden_size", 1024, "expected the tower's width 24"},
      {"model_type", "llava_mpt", "expected a llama language model"},
  };
  for (const auto& [key, value, message] : cases) {
    const OriginalModel model;
    model.set(key, value);
    INFO(key);
    const std::string error = model.error();
    CHECK_THAT(error, Catch::Contains(message) && Catch::Contains(key) && Catch::Contains("config.json"));
  }
}

TEST_CASE("original layout: how pictures are fitted") {
  const OriginalModel model;
  CHECK(original_image_aspect(model.path()) == "pad");
  model.set("image_aspect_ratio", nullptr);
  CHECK(original_image_aspect(model.path()) == "square");
  model.set("image_aspect_ratio", "anyres");
  CHECK_THROWS_WITH(original_image_aspect(model.path()),
                    Catch::Contains("model.image_aspect in the recipe") && Catch::Contains("anyres"));
}

TEST_CASE("three parts from torch.save's files hold the same tensors as from safetensors") {
  ModelSource torch = three_parts_source();
  torch.projector = model_fixture("three_parts") / "mm_projector.bin";
  torch.language = model_fixture("original");  // a .bin with the projector in it, which is told
  CHECK_THROWS_WITH(load_dense(torch), Catch::Contains("model.mm_projector.0.bias"));
  torch.language = three_parts_source().language;
  Llava from_torch = load_dense(torch), from_safetensors = load_dense(three_parts_source());
  check_same(from_torch, from_safetensors);
}

TEST_CASE("a random model is the same in every published layout") {
  const TemporaryFolder folder;
  if (!run_python(
          {std::string(QSLAW_SOURCE) + "/tests/model/write_random_models.py", folder.path().string()}))
    return;
  Llava expected = load_dense(source_of(folder.path() / "old"));
  for (const char* name : {"new", "v5", "original", "llava16"}) {
    INFO(name);
    Llava model = load_dense(source_of(folder.path() / name));
    check_same(model, expected);
  }
  for (const char* tower : {"clip", "clip_full"}) {
    INFO(tower);
    ModelSource parts;
    parts.language = folder.path() / "llama";
    parts.vision = folder.path() / tower;
    parts.projector = folder.path() / "projector" / "mm_projector.bin";
    Llava joined = load_dense(parts);
    check_same(joined, expected);
  }
  const Llava linear = load_dense(source_of(folder.path() / "linear"));
  CHECK(linear.projector.kind == ProjectorKind::linear);
  CHECK(at::equal(linear.projector.first.weight, expected.projector.first.weight));
}
