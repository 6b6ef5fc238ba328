#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "export/formats.h"
#include "io/json.h"
#include "model/named_tensors.h"
#include "model/weight_names.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// In front of the names that transformers >= 4.52 has in memory. PEFT also knows the older names for LoRA,
// but not for modules_to_save.
const char* const kPeftPrefix = "base_model.model.model.";

std::string base_model_name(const ExportTask& task) {
  if (exports(task.options, "hf_base")) return "../hf_base";
  return fs::absolute(task.source.path).lexically_normal().string();
}

NamedTensors peft_tensors(const ExportTask& task) {
  NamedTensors tensors;
  for (LoraLinear* layer : task.adapter) {
    // "model.layers.0.x" -> "base_model.model.model.language_model.layers.0.x"
    const std::string name = kPeftPrefix + std::string("language_model.") + layer->name().substr(6);
    tensors.emplace_back(name + ".lora_A.weight", layer->a_RK());
    tensors.emplace_back(name + ".lora_B.weight", layer->b_NR());
  }
  Projector projector = task.model->projector;
  for (const auto& [name, tensor] : projector_to_named(projector))
    tensors.emplace_back(kPeftPrefix + name, tensor);
  return tensors;
}

// PEFT declares lora_alpha as an integer and strict readers insist on it.
nlohmann::json number(double value) {
  return value == std::floor(value) ? nlohmann::json(static_cast<int64_t>(value)) : nlohmann::json(value);
}

nlohmann::json adapter_config(const ExportTask& task) {
  return {
      {"peft_type", "LORA"},
      {"task_type", nullptr},
      {"base_model_name_or_path", base_model_name(task)},
      {"r", task.lora.rank},
      {"lora_alpha", number(task.lora.alpha)},
      {"lora_dropout", task.lora.dropout},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"use_rslora", false},
      {"use_dora", false},
      // An expression, as the vision tower has layers of the same names; it fits old and new module names.
      {"target_modules",
       R"(.*language_model.*\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj))"},
      {"modules_to_save", {"multi_modal_projector"}}};
}

std::string readme(const ExportTask& task) {
  std::string text = "---\nbase_model: " + base_model_name(task) +
                     "\nlibrary_name: peft\n---\n\n"
                     "# LoRA adapter and projector of a LLaVA model\n\n";
  if (!task.base_sha256.empty()) {
    text +=
        "This adapter was learned on a quantized language model and belongs on the *dequantized* base (the "
        "export\n"
        "format `hf_base`), not on the 16-bit checkpoint that was quantized: on that one it computes "
        "something else.\n\n"
        "SHA-256 of the packed base it was learned on: `" +
        task.base_sha256 + "`\n\n";
  }
  return text +
         "```python\n"
         "from peft import PeftModel\n"
         "from transformers import LlavaForConditionalGeneration\n\n"
         "base = LlavaForConditionalGeneration.from_pretrained(\"" +
         base_model_name(task) +
         "\")\n"
         "model = PeftModel.from_pretrained(base, \"path/to/this/folder\")\n"
         "```\n";
}

void warn_about_base(const ExportTask& task) {
  if (task.base_sha256.empty() || exports(task.options, "hf_base")) return;
  log_warning("the adapter belongs on the dequantized base, which is not among export.formats (hf_base)");
}

}  // namespace

nlohmann::json write_peft(const ExportTask& task, const fs::path& folder) {
  warn_about_base(task);
  std::map<std::string, std::string> metadata;
  if (!task.base_sha256.empty()) metadata["base_sha256"] = task.base_sha256;
  write_safetensors(folder / "adapter_model.safetensors", peft_tensors(task), metadata);
  write_json(folder / "adapter_config.json", adapter_config(task));
  write_file_atomic(folder / "README.md", readme(task));
  return nlohmann::json::object();
}

}  // namespace qslaw
