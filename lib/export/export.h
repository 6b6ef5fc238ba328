// Hands a trained model to other programs. Adding a format: its file, a row in export.cpp's table, a test
// that the other program reads it.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/image_transform.h"
#include "export/options.h"
#include "model/llava.h"
#include "model/load.h"
#include "model/lora.h"

namespace qslaw {

/// What is exported, and where to.
struct ExportTask {
  const Llava* model = nullptr;  // as it computes: packed or dense linears, with the adapter attached
  ModelSource source;            // where it came from: tokenizer files, tensors behind the feature layer
  ImageTransform transform;      // how its pictures are prepared
  ExportOptions options;
  std::vector<LoraLinear*> adapter;  // the model's LoRA layers; empty without an adapter
  LoraOptions lora;                  // rank and alpha of the adapter
  std::string base_sha256;       // of the packed codes that the adapter was learned on; empty: 16-bit base
  std::filesystem::path folder;  // each format gets a folder of its own in it
};

/// UserError when a format cannot hold a model of this configuration, so that it can be told before anything
/// is computed.
void require_exportable(const ModelSource& source, const LlavaConfig& config, const ExportOptions& options);

/// Writes every format of `task.options`, in their order. Each folder appears whole, in place of an older
/// one, or not at all; once all are there, formats that are not asked for are removed from `task.folder`.
/// Returns {"<format>": {"path", "bytes", and what the format reports}}. UserError when a
/// format cannot hold the model. Throws Stopped, between two tensors, when a stop was asked for.
/// REQUIRES: known formats and dtype (check in export/options.h).
nlohmann::json export_model(const ExportTask& task);

}  // namespace qslaw
