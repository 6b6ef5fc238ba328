// A LLaVA of some ten thousand random weights with the embedded example's tokenizer, and that example's data.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/image_transform.h"
#include "io/json.h"
#include "io/tokenizer.h"
#include "model/load.h"

namespace qslaw {

inline std::filesystem::path demo_data(const std::string& name) {
  return std::filesystem::path(QSLAW_SOURCE) / "recipes" / "demo" / "data" / name;
}

/// Configuration and tokenizer in `folder`: 2 blocks of width 32, pictures of 4 features, random weights.
inline ModelSource write_tiny_model(const std::filesystem::path& folder) {
  at::set_num_threads(1);  // threads that wait for each other cost more than these products
  const std::filesystem::path demo =
      std::filesystem::path(QSLAW_SOURCE) / "recipes" / "demo" / "base" / "init";
  for (const auto& entry : std::filesystem::directory_iterator(demo))
    std::filesystem::copy_file(entry.path(), folder / entry.path().filename());
  nlohmann::json config = read_json(demo / "config.json");
  config["image_seq_length"] = 4;
  const nlohmann::json sizes = {
      {"hidden_size", 32}, {"num_hidden_layers", 2}, {"num_attention_heads", 2}, {"intermediate_size", 64}};
  config["text_config"].update(sizes);
  config["text_config"].update({{"num_key_value_heads", 2}, {"vocab_size", 736}});
  config["vision_config"].update(sizes);
  config["vision_config"]["patch_size"] = 16;
  write_json(folder / "config.json", config);
  ModelSource source;
  source.path = folder;
  source.random_weights = true;
  source.seed = 3;
  return source;
}

inline ImageTransform tiny_transform() {
  ImageTransform transform;
  transform.size = 32;
  return transform;
}

}  // namespace qslaw
