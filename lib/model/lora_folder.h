// A LoRA adapter as PEFT and LLaVA write it: adapter_config.json, adapter_model.safetensors or .bin, and
// LLaVA's non_lora_trainables.bin with the projector (docs/formats.md, "Files to start from").
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/tensor_file.h"
#include "model/llava.h"
#include "model/lora.h"

namespace qslaw {

/// Every error is a KeyError at model.adapter.
class LoraFolder {
 public:
  /// Reads the configuration and checks names, and shapes and dtypes of the adapter: plain LoRA on the seven
  /// linears of every decoder block, the tensors of a projector or none, nothing else.
  LoraFolder(const std::filesystem::path& folder, const LlavaConfig& config);

  /// Rank and alpha of the folder; dropout 0.
  const LoraOptions& options() const { return options_; }

  /// SHA-256 of the packed base that an export of this program says it was tuned on; empty: unknown.
  const std::string& base_sha256() const { return base_sha256_; }

  /// The folder's values in the place of the model's: those of the adapter, which has the folder's rank and
  /// is attached to the model, and the projector, if there is one. KeyError for one that is not finite, or a
  /// projector of other shapes.
  void lay_over(Llava& model, const std::vector<LoraLinear*>& adapter) const;

  /// The errors of lay_over, without a model.
  void check_values() const;

 private:
  void read_config_file();
  void find_names();
  void find_projector();
  at::Tensor values(const LinearSpec& spec, const char* matrix) const;
  std::optional<Projector> projector() const;

  std::filesystem::path folder_;
  LlavaConfig config_;
  LoraOptions options_;
  TensorFile file_;
  std::string prefix_;                    // in front of "layers.0.self_attn.q_proj.lora_A.weight"
  std::filesystem::path projector_file_;  // empty: none
  std::string base_sha256_;
};

}  // namespace qslaw
