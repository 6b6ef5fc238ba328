// A model's sizes and a recipe's section that the tests of the estimates share.
#pragma once
#include <string>

#include "model/config.h"
#include "recipe_file.h"

// One block of width 64, two projector layers.
inline qslaw::LlavaConfig small_config() {
  qslaw::LlavaConfig config;
  config.language.vocab = 100;
  config.language.width = 64;
  config.language.layers = 1;
  config.language.heads = 2;
  config.language.kv_heads = 2;
  config.language.head_size = 32;
  config.language.ffn = 128;
  config.vision.width = 32;
  config.vision.layers = 2;
  config.vision.ffn = 64;
  config.vision.image_size = 32;
  config.vision.patch_size = 16;
  return config;
}

inline const std::string kTune = "tune: {data: {kind: text, path: a.txt}}\n";
