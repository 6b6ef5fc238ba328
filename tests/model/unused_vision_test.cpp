#include <catch2/catch.hpp>

#include "model_fixture.h"

using namespace qslaw;

namespace {

std::map<std::string, at::Tensor> unused(const ModelSource& source) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : unused_vision_tensors(source, read_config(source)))
    tensors[name] = tensor;
  return tensors;
}

}  // namespace

TEST_CASE("the tower's tensors behind the feature layer come from the checkpoint") {
  struct Case {
    ModelSource source;
    std::filesystem::path file;
    std::string prefix;
  };
  const Case cases[] = {
      {source_of(model_fixture("gqa")), model_fixture("gqa") / "model.safetensors", "vision_tower."},
      {source_of(model_fixture("new_naming")), model_fixture("new_naming") / "model.safetensors",
       "model.vision_tower.vision_model."},
      {three_parts_source("vision_full"), model_fixture("three_parts") / "vision_full" / "model.safetensors",
       "vision_model."}};
  for (const Case& one : cases) {
    INFO(one.file);
    const auto tensors = unused(one.source);
    CHECK(tensors.size() == 18);  // one block of 16, and the last norm
    const SafetensorsFile file(one.file);
    for (const auto& [name, tensor] : tensors) {
      INFO(name);
      CHECK(at::equal(tensor, file.tensor(one.prefix + name)));
    }
  }
}

TEST_CASE("the last feature layer leaves only the norm unused") {
  const auto tensors = unused(source_of(model_fixture("tied")));
  CHECK(tensors.size() == 2);
  CHECK(tensors.count("post_layernorm.weight") == 1);
}

TEST_CASE("random weights include the unused ones, reproducibly") {
  ModelSource source = source_of(model_fixture("gqa"));
  source.random_weights = true;
  const auto tensors = unused(source);
  REQUIRE(tensors.size() == 18);
  CHECK(at::equal(tensors.at("post_layernorm.weight"), at::ones({40})));
  const std::string name = "encoder.layers.2.mlp.fc1.weight";
  CHECK(tensors.at(name).sizes() == at::IntArrayRef({52, 40}));
  CHECK(at::equal(tensors.at(name), unused(source).at(name)));
  source.seed = 43;
  CHECK_FALSE(at::equal(tensors.at(name), unused(source).at(name)));
}

TEST_CASE("random weights need no checkpoint and follow the seed") {
  ModelSource source = source_of(model_fixture("gqa"));
  source.random_weights = true;
  const Llava a = load_dense(source), b = load_dense(source);
  CHECK(at::equal(a.language.head_VD, b.language.head_VD));
  CHECK_FALSE(at::equal(a.language.head_VD, a.language.embedding_VD));
  source.seed = 43;
  CHECK_FALSE(at::equal(a.language.head_VD, load_dense(source).language.head_VD));
}
