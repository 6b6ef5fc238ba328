// The `quantize` stage: from a model's 16-bit decoder linears to packed codes, by one of the methods in
// methods/.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "model/load.h"
#include "quant/options.h"
#include "quant/packed_weight.h"

namespace qslaw {

/// What a method works on.
struct QuantizeTask {
  ModelSource source;  // with what earlier stages tuned laid over it
  LlavaConfig config;
  QuantizeOptions options;
  at::ScalarType dtype = at::kFloat;  // of activations, for methods that run the model
  at::Device device = at::kCPU;
  std::vector<Batch> calibration;    // for methods that need it
  std::filesystem::path unfinished;  // folder for what a stopped run goes on from; empty: nowhere
};

/// Runs the method that the options name and hands over each packed linear as soon as it is done, so that
/// they need not all lie in memory. Returns docs/formats.md's results of `quantize`. UserError for shapes the
/// grid cannot take.
nlohmann::json quantize_language(const QuantizeTask& task, const PackedSink& sink);

/// One row of the error table: |W - W^| / |W| (Frobenius) and the largest difference.
nlohmann::json layer_error(const LinearSpec& spec, const at::Tensor& weight_NK, const PackedWeight& packed);

/// A method: its file in methods/ and a row in quantize.cpp's table. To add one: write the file, add the row,
/// its options (options.h, lib/recipe/fields.h), a test and a recipe.
struct QuantizeMethod {
  const char* name;
  bool needs_calibration;
  nlohmann::json (*run)(const QuantizeTask& task, const PackedSink& sink);
};
const std::vector<QuantizeMethod>& quantize_methods();

}  // namespace qslaw
