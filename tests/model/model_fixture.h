// The tiny models of tests/fixtures/models and what transformers computed with them (see the README there).
#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "compare_tensors.h"
#include "data/conversation.h"
#include "io/safetensors.h"
#include "model/generate.h"
#include "model/load.h"

namespace qslaw {

inline std::filesystem::path model_fixture(const std::string& name) {
  return std::filesystem::path(QSLAW_FIXTURES) / "models" / name;
}

inline ModelSource source_of(const std::filesystem::path& folder) {
  ModelSource source;
  source.path = folder;
  return source;
}

/// language/, vision/ and the projector of the fixture three_parts.
inline ModelSource three_parts_source(const std::string& vision = "vision") {
  ModelSource source;
  source.language = model_fixture("three_parts") / "language";
  source.vision = model_fixture("three_parts") / vision;
  source.projector = model_fixture("three_parts") / "mm_projector.safetensors";
  return source;
}

inline Llava load_dense(const ModelSource& source, at::ScalarType dtype = at::kFloat) {
  return load_llava(source, read_config(source), dtype, at::kCPU, dense_maker(dtype, at::kCPU));
}

/// expected.safetensors, with the batch as this program has it.
struct Expected {
  std::map<std::string, at::Tensor> tensors;
  Batch batch;

  const at::Tensor& at(const std::string& name) const { return tensors.at(name); }
};

inline constexpr int64_t kFixtureImageId = 129;

inline Expected read_expected(const std::filesystem::path& folder) {
  Expected expected{read_safetensors(folder / "expected.safetensors"), {}};
  const at::Tensor& ids = expected.at("input_ids");
  expected.batch.ids_BT = ids.masked_fill(ids == kFixtureImageId, kImagePlaceholder);
  expected.batch.labels_BT = expected.at("labels");
  expected.batch.lengths_B = expected.at("lengths");
  expected.batch.pixels_N3SS = expected.at("pixel_values");
  return expected;
}

/// Row b alone, without padding and with the picture that belongs to it.
inline Batch single_row(const Batch& batch, int64_t b) {
  const int64_t length = batch.lengths_B[b].item<int64_t>();
  Batch row;
  row.ids_BT = batch.ids_BT.narrow(0, b, 1).narrow(1, 0, length).clone();
  row.labels_BT = batch.labels_BT.narrow(0, b, 1).narrow(1, 0, length).clone();
  row.lengths_B = batch.lengths_B.narrow(0, b, 1).clone();
  const bool has_picture = (row.ids_BT == kImagePlaceholder).any().item<bool>();
  if (has_picture) row.pixels_N3SS = batch.pixels_N3SS.narrow(0, b, 1);
  return row;
}

/// The fixtures' choice: the likeliest token but never <image>.
inline at::Tensor choose(const at::Tensor& logits_BV, int64_t image_id) {
  at::Tensor allowed = logits_BV.clone();
  allowed.select(1, image_id).fill_(-1e9);
  return allowed.argmax(-1);
}

/// Ids [B, steps] that follow the prompts, over the cache.
inline at::Tensor greedy(const Llava& model, const Batch& prompts, int64_t steps,
                         int64_t image_id = kFixtureImageId) {
  KvCache cache(model.language.config, prompts.ids_BT.size(0), prompts.ids_BT.size(1) + steps, model.dtype);
  std::vector<at::Tensor> tokens = {choose(prefill(model, prompts, cache), image_id)};
  while (static_cast<int64_t>(tokens.size()) < steps)
    tokens.push_back(choose(decode_step(model, tokens.back(), cache), image_id));
  return at::stack(tokens, 1);
}

}  // namespace qslaw
