// Damaged checkpoints, made from a good one: every error names the file and the tensor.
#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "io/json.h"
#include "io/weight_folder.h"
#include "model_fixture.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

using Tensors = std::map<std::string, at::Tensor>;

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

// The fixture `gqa` with its tensors or configuration edited.
class DamagedModel {
 public:
  explicit DamagedModel(const std::string& fixture = "gqa") {
    fs::copy(model_fixture(fixture), folder_.path(), fs::copy_options::recursive);
  }
  void edit_tensors(const std::function<void(Tensors&)>& edit) {
    Tensors tensors;
    for (const auto& [name, tensor] : read_safetensors(path() / "model.safetensors"))
      tensors[name] = tensor.clone();
    edit(tensors);
    write_safetensors(path() / "model.safetensors", NamedTensors(tensors.begin(), tensors.end()));
  }
  void edit_config(const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json config = read_json(path() / "config.json");
    edit(config);
    write_json(path() / "config.json", config);
  }
  const fs::path& path() const { return folder_.path(); }
  std::string error() const {
    return error_of([this] { load_dense(source_of(path())); });
  }
  // Of a dry run.
  std::string checked_error() const {
    return error_of([this] { check_weights(source_of(path()), read_config(source_of(path()))); });
  }

 private:
  TemporaryFolder folder_;
};

void check_says(const std::string& error, const std::vector<std::string>& parts) {
  INFO(error);
  CHECK(!error.empty());
  CHECK(error.find('\n') == std::string::npos);
  for (const auto& part : parts) {
    INFO("expected to read: " << part);
    CHECK(error.find(part) != std::string::npos);
  }
}

const std::string kUp = "language_model.model.layers.1.mlp.up_proj.weight";

}  // namespace

TEST_CASE("a tower with more blocks than its configuration says is refused") {
  DamagedModel model;
  int64_t layers = 0;
  model.edit_config([&](nlohmann::json& config) {
    nlohmann::json& count = config["vision_config"]["num_hidden_layers"];
    layers = count.get<int64_t>();
    count = layers - 1;
  });
  // The last one, which is not used, would pass for one that LLaVA's feature layer leaves out.
  const std::string extra = "vision_tower.encoder.layers." + std::to_string(layers - 1) + ".";
  check_says(model.error(), {extra});
  check_says(model.checked_error(), {extra});
}

TEST_CASE("a missing tensor is named, with the folder") {
  for (const std::string& name :
       {kUp, std::string("language_model.model.norm.weight"), std::string("language_model.lm_head.weight"),
        std::string("multi_modal_projector.linear_2.bias"),
        std::string("vision_tower.encoder.layers.1.mlp.fc1.bias"),
        std::string("vision_tower.pre_layrnorm.weight")}) {
    DamagedModel model;
    model.edit_tensors([&](Tensors& tensors) { REQUIRE(tensors.erase(name) == 1); });
    check_says(model.error(), {name, model.path().string(), "got none"});
  }
}

TEST_CASE("missing parts are named") {
  for (const std::string part :
       {"language_model.model.embed_tokens.weight", "vision_tower.embeddings.class_embedding",
        "multi_modal_projector.linear_1.weight"}) {
    DamagedModel model;
    model.edit_tensors([&](Tensors& tensors) { REQUIRE(tensors.erase(part) == 1); });
    check_says(model.error(), {part.substr(part.rfind('.', part.rfind('.') - 1) + 1), model.path().string()});
  }
}

TEST_CASE("an extra tensor is named") {
  DamagedModel model;
  model.edit_tensors([](Tensors& tensors) {
    tensors["language_model.model.layers.3.mlp.up_proj.weight"] = at::zeros({100, 48});
  });
  check_says(model.error(),
             {"language_model.model.layers.3.mlp.up_proj.weight", model.path().string(), "1 more"});
}

TEST_CASE("tensors that nothing needs are allowed") {
  DamagedModel model;
  model.edit_tensors([](Tensors& tensors) {
    tensors["language_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = at::zeros({4});
    tensors["vision_tower.embeddings.position_ids"] = at::zeros({1, 17}, at::kLong);
  });
  CHECK(model.error() == "");
}

TEST_CASE("a wrong shape is named, with both shapes") {
  DamagedModel model;
  model.edit_tensors([](Tensors& tensors) { tensors[kUp] = at::zeros({100, 47}, at::kHalf); });
  check_says(model.error(), {kUp, "[100, 48]", "[100, 47]", "model.safetensors"});
}

TEST_CASE("a tensor that is no weight is refused, its dtype by its usual name") {
  const std::vector<std::pair<at::ScalarType, std::string>> dtypes = {
      {at::kDouble, "float64"}, {at::kLong, "int64"}, {at::kInt, "int32"}, {at::kShort, "int16"},
      {at::kChar, "int8"},      {at::kByte, "uint8"}, {at::kBool, "bool"}};
  for (const auto& [dtype, name] : dtypes) {
    DamagedModel model;
    model.edit_tensors([dtype = dtype](Tensors& tensors) { tensors[kUp] = at::zeros({100, 48}, dtype); });
    check_says(model.error(),
               {kUp, "expected float32, bfloat16 or float16, got " + name + " (", "model.safetensors"});
  }
}

TEST_CASE("a vocabulary that contradicts the embedding or the head is named with both places") {
  const std::vector<std::string> tables = {"language_model.model.embed_tokens.weight",
                                           "language_model.lm_head.weight"};
  const DamagedModel sound;
  const auto rows = read_safetensors(sound.path() / "model.safetensors").at(tables[0]).size(0);
  for (const std::string& table : tables) {
    DamagedModel model;
    model.edit_tensors(
        [&](Tensors& tensors) { tensors.at(table) = tensors.at(table).slice(0, 0, rows - 5).clone(); });
    const std::vector<std::string> says = {
        table, concat("expected ", rows, " rows (vocab_size of ", (model.path() / "config.json").string(),
                      "), got ", rows - 5, " (", (model.path() / "model.safetensors").string(), ")")};
    check_says(model.error(), says);
    CHECK(model.checked_error() == model.error());
  }
  DamagedModel model;
  model.edit_config([](nlohmann::json& config) { config["text_config"]["vocab_size"] = 77; });
  check_says(model.error(), {tables[0], "expected 77 rows (vocab_size of ", concat("got ", rows)});
}

TEST_CASE("a cut file is named") {
  for (const size_t bytes : {size_t{0}, size_t{5}, size_t{100}, size_t{200000}}) {
    INFO(bytes << " bytes left");
    DamagedModel model;
    fs::resize_file(model.path() / "model.safetensors", bytes);
    check_says(model.error(), {"model.safetensors"});
  }
}

TEST_CASE("a file longer than its header says is named, with both sizes") {
  DamagedModel model;
  const fs::path file = model.path() / "model.safetensors";
  const auto bytes = fs::file_size(file);
  fs::resize_file(file, bytes + 3);
  check_says(model.error(), {"model.safetensors", std::to_string(bytes), std::to_string(bytes + 3)});
}

TEST_CASE("shards: a missing file, a missing entry and a stale index are named") {
  {
    DamagedModel model("legacy");
    CHECK(model.error() == "");
    fs::remove(model.path() / "model-00002-of-00003.safetensors");
    check_says(model.error(), {"model-00002-of-00003.safetensors"});
  }
  {
    DamagedModel model("legacy");
    nlohmann::json index = read_json(model.path() / "model.safetensors.index.json");
    index["weight_map"][kUp] = index["weight_map"][kUp] == "model-00001-of-00003.safetensors"
                                   ? "model-00002-of-00003.safetensors"
                                   : "model-00001-of-00003.safetensors";
    write_json(model.path() / "model.safetensors.index.json", index);
    check_says(model.error(), {kUp, "index"});
  }
  {
    DamagedModel model("legacy");
    nlohmann::json index = read_json(model.path() / "model.safetensors.index.json");
    index["weight_map"].erase(kUp);
    write_json(model.path() / "model.safetensors.index.json", index);
    check_says(model.error(), {kUp, model.path().string()});
  }
  {
    DamagedModel model("legacy");
    write_json(model.path() / "model.safetensors.index.json", {{"weight_map", 3}});
    check_says(model.error(), {"weight_map", "model.safetensors.index.json"});
  }
}

TEST_CASE("no weights, no folder, no real .bin") {
  DamagedModel model;
  fs::remove(model.path() / "model.safetensors");
  check_says(model.error(), {"model.safetensors or model.safetensors.index.json or pytorch_model.bin or "
                             "pytorch_model.bin.index.json",
                             model.path().string(), "none"});
  std::ofstream(model.path() / "pytorch_model.bin") << "x";
  check_says(model.error(), {"expected a file of torch.save", (model.path() / "pytorch_model.bin").string()});
  REQUIRE_THROWS_AS(read_config(source_of(model.path() / "nowhere")), UserError);
}

TEST_CASE("a folder at the key of another one is told where it belongs") {
  const ModelSource parts = three_parts_source();
  const auto load_error = [](const ModelSource& source) { return error_of([&] { load_dense(source); }); };
  check_says(load_error(source_of(parts.language)), {"got \"llama\"", "model.language", "config.json"});
  check_says(load_error(source_of(model_fixture("three_parts") / "vision_full")),
             {"got \"clip\"", "model.vision", "config.json"});
  // Their sizes are not those of LlamaConfig, which would be taken otherwise.
  for (const fs::path& whole : {model_fixture("legacy"), model_fixture("three_parts") / "vision_full"}) {
    ModelSource source = parts;
    source.language = whole;
    check_says(load_error(source),
               {"expected a language model alone", "text_config", (whole / "config.json").string()});
  }
  ModelSource folder = parts;
  folder.projector = model_fixture("original");
  check_says(load_error(folder), {"expected a file of tensors", "got the folder", folder.projector.string()});
}

TEST_CASE("a LoRA folder in the place of its model is told apart") {
  DamagedModel model("original");
  model.edit_config([](nlohmann::json& config) {
    config["mm_vision_tower"] = (model_fixture("three_parts") / "vision").string();
  });
  CHECK(model.error() == "");
  fs::remove(model.path() / "pytorch_model.bin");
  CHECK_THAT(model.error(), !Catch::Contains("LoRA"));
  write_json(model.path() / "adapter_config.json", {{"peft_type", "LORA"}});
  for (const std::string& error : {model.error(), model.checked_error()})
    check_says(error, {model.path().string(), "LoRA", "model.adapter"});
}

TEST_CASE("a configuration with wrong types or values is named by file and key") {
  struct Edit {
    const char* part;  // "" for the outermost object
    const char* key;
    nlohmann::json value;
    std::vector<std::string> says;
  };
  const std::vector<Edit> edits = {
      {"", "model_type", "qwen", {"model_type", "llava", "qwen"}},
      {"", "model_type", 5, {"model_type", "5"}},
      {"", "text_config", nullptr, {"text_config"}},
      {"", "text_config", "x", {"an object", "text_config"}},
      {"", "vision_config", nullptr, {"vision_config"}},
      {"", "vision_feature_layer", 9, {"vision_feature_layer", "9"}},
      {"", "vision_feature_layer", "last", {"vision_feature_layer", "integer"}},
      {"", "vision_feature_layer", {-2, -5}, {"vision_feature_layer", "integer"}},
      {"", "vision_feature_select_strategy", "cls", {"vision_feature_select_strategy", "cls"}},
      {"", "projector_hidden_act", "relu", {"projector_hidden_act", "relu"}},
      {"", "image_token_index", 99999, {"131 of text_config.vocab_size", "99999", "key image_token_index)"}},
      {"text_config", "hidden_size", "48", {"hidden_size", "integer", "48"}},
      {"text_config", "hidden_size", 48.5, {"hidden_size", "integer"}},
      {"text_config", "hidden_size", -48, {"key text_config.hidden_size)", "positive"}},
      {"vision_config", "hidden_size", -48, {"key vision_config.hidden_size)", "positive"}},
      {"text_config", "num_hidden_layers", 1001, {"num_hidden_layers", "at most 1000, got 1001"}},
      {"text_config", "intermediate_size", 16777217, {"intermediate_size", "at most 16777216, got 16777217"}},
      {"text_config", "vocab_size", 18446744073709551615u, {"at most 16777216, got 18446744073709551615"}},
      {"text_config", "hidden_size", 1e20, {"hidden_size", "at most 16777216, got 1e+20"}},
      {"vision_config", "num_hidden_layers", 1001, {"num_hidden_layers", "at most 1000, got 1001"}},
      {"text_config", "num_key_value_heads", 4, {"num_key_value_heads", "4"}},
      {"text_config", "rms_norm_eps", "small", {"rms_norm_eps", "number"}},
      {"text_config", "hidden_act", "relu", {"hidden_act", "relu"}},
      {"text_config", "attention_bias", true, {"attention_bias"}},
      {"text_config", "model_type", "mistral", {"mistral"}},
      {"text_config",
       "rope_parameters",
       {{"rope_type", "yarn"}},
       {"yarn", "key text_config.rope_parameters)"}},
      {"text_config", "rope_parameters", {{"factor", "x"}}, {"key text_config.rope_parameters.factor)"}},
      {"text_config", "rope_parameters", 4, {"an object", "rope_parameters"}},
      {"vision_config", "hidden_act", "relu", {"hidden_act", "relu"}},
      {"vision_config", "patch_size", 0, {"patch_size", "positive"}},
      {"vision_config", "num_attention_heads", 7, {"vision_config.num_attention_heads", "7"}},
  };
  for (const Edit& edit : edits) {
    INFO(edit.part << "." << edit.key << " = " << edit.value.dump());
    DamagedModel model;
    model.edit_config([&](nlohmann::json& config) {
      nlohmann::json& part = *edit.part ? config[edit.part] : config;
      part[edit.key] = edit.value;
    });
    auto says = edit.says;
    says.push_back((model.path() / "config.json").string());
    check_says(model.error(), says);
  }
}

TEST_CASE("without a head_dim the heads must divide the width") {
  DamagedModel model;
  model.edit_config([](nlohmann::json& config) {
    config["text_config"].erase("head_dim");
    config["text_config"]["num_attention_heads"] = 100;
  });
  check_says(model.error(),
             {"expected text_config.num_attention_heads to divide 48, got 100", "config.json"});
}

TEST_CASE("sizes that do not fit the weights are named by a tensor") {
  DamagedModel model;
  model.edit_config([](nlohmann::json& config) { config["text_config"]["intermediate_size"] = 99; });
  check_says(model.error(), {"mlp.gate_proj.weight", "[99, 48]", "[100, 48]"});
}

TEST_CASE("a dry run tells of every tensor what loading would tell") {
  const std::string query = "language_model.model.layers.1.self_attn.q_proj.weight";
  const std::string bias = "vision_tower.encoder.layers.1.mlp.fc1.bias";
  const std::string norm = "language_model.model.layers.0.input_layernorm.weight";
  const std::string projector = "multi_modal_projector.linear_2.weight";
  const auto rename = [](Tensors& tensors, const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    REQUIRE(!node.empty());
    node.key() = to;
    tensors.insert(std::move(node));
  };
  struct Damage {
    std::function<void(Tensors&)> edit;
    std::vector<std::string> says;
  };
  const std::vector<Damage> all = {
      {[&](Tensors& t) {
         t.at(query) = at::zeros({48, 47}, at::kHalf);
       },
       {"tensor " + query, "expected shape [48, 48]", "got [48, 47]", "model.safetensors"}},
      {[&](Tensors& t) { t.at(norm) = at::zeros({47}, at::kHalf); }, {norm, "[48]", "[47]"}},
      {[&](Tensors& t) {
         t.at(projector) = at::zeros({3, 5}, at::kHalf);
       },
       {projector, "[3, 5]"}},
      {[&](Tensors& t) { t.at(bias) = at::zeros({5}, at::kHalf); }, {bias, "got [5]"}},
      {[&](Tensors& t) { t.at(bias) = t.at(bias).to(at::kInt); }, {bias, "expected float32", "int32"}},
      {[&](Tensors& t) { rename(t, bias, bias + "es"); }, {"expected tensor " + bias, "got none"}},
      {[&](Tensors& t) { t["language_model.model.more"] = at::zeros({2}); },
       {"expected only tensors of the model", "1 more: language_model.model.more"}}};
  for (const Damage& damage : all) {
    DamagedModel model;
    CHECK(model.checked_error() == "");
    model.edit_tensors(damage.edit);
    check_says(model.checked_error(), damage.says);
    CHECK(model.checked_error() == model.error());
  }
}

TEST_CASE("a dry run checks every kind of model that loads") {
  for (const char* fixture : {"legacy", "new_naming", "tied", "rope_linear", "sparse_config", "original"}) {
    INFO(fixture);
    const ModelSource source = source_of(model_fixture(fixture));
    CHECK_NOTHROW(check_weights(source, read_config(source)));
  }
  for (const char* tower : {"vision", "vision_full"}) {
    ModelSource source = three_parts_source(tower);
    CHECK_NOTHROW(check_weights(source, read_config(source)));
    source.projector.clear();  // a fresh one
    CHECK_NOTHROW(check_weights(source, read_config(source)));
  }
}

TEST_CASE("of shards that are partly absent, the absent one is named by a dry run") {
  DamagedModel model("legacy");
  fs::remove(model.path() / "model-00002-of-00003.safetensors");
  check_says(model.checked_error(), {"model-00002-of-00003.safetensors"});
}

TEST_CASE("names are checked without reading weights") {
  DamagedModel model("legacy");
  const ModelSource source = source_of(model.path());
  for (int i = 1; i <= 3; ++i)
    fs::remove(model.path() / concat("model-0000", i, "-of-00003.safetensors"));
  CHECK_NOTHROW(check_weights(source, read_config(source)));
  nlohmann::json index = read_json(model.path() / "model.safetensors.index.json");
  index["weight_map"].erase(kUp);
  write_json(model.path() / "model.safetensors.index.json", index);
  CHECK_THROWS_WITH(check_weights(source, read_config(source)), Catch::Contains(kUp));
}

TEST_CASE("a projector file with other shapes or names is refused") {
  TemporaryFolder folder;
  const fs::path path = folder.path() / "projector.safetensors";
  write_safetensors(path, {{"linear_1.weight", at::zeros({32, 23})}});
  CHECK_THROWS_WITH(read_projector(path, ProjectorKind::mlp2x_gelu, 24, 32),
                    Catch::Contains("linear_1.weight") && Catch::Contains("[32, 24]") &&
                        Catch::Contains("projector.safetensors"));
  write_safetensors(path, {{"linear_1.weight", at::zeros({32, 24})}, {"linear_1.bias", at::zeros({32})}});
  CHECK_THROWS_WITH(read_projector(path, ProjectorKind::mlp2x_gelu, 24, 32),
                    Catch::Contains("linear_2.weight"));
  const auto two_layers = model_fixture("three_parts") / "mm_projector.safetensors";
  CHECK_THROWS_WITH(read_projector(two_layers, ProjectorKind::linear, 24, 32),
                    Catch::Contains("mm_projector.2.weight"));
}

TEST_CASE("a projector file of another dtype is refused") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "projector.safetensors";
  write_safetensors(
      path, {{"linear_1.weight", at::zeros({32, 24}, at::kChar)}, {"linear_1.bias", at::zeros({32})}});
  CHECK_THROWS_WITH(read_projector(path, ProjectorKind::linear, 24, 32),
                    Catch::StartsWith("[projector] tensor linear_1.weight") &&
                        Catch::Contains("got int8 (") && Catch::Contains("projector.safetensors"));
}

TEST_CASE("a linear projector is read under each of its names") {
  TemporaryFolder folder;
  const at::Tensor weight = at::randn({32, 24}), bias = at::randn({32});
  for (const std::string name :
       {"multi_modal_projector.linear_1", "model.mm_projector", "base_model.model.model.mm_projector"}) {
    INFO(name);
    write_safetensors(folder.path() / "p.safetensors", {{name + ".weight", weight}, {name + ".bias", bias}});
    const Projector read = read_projector(folder.path() / "p.safetensors", ProjectorKind::linear, 24, 32);
    CHECK(at::equal(read.first.weight, weight));
    CHECK(at::equal(read.first.bias, bias));
  }
}
