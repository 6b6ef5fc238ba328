#include "model/lora_folder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "core/key_error.h"
#include "core/one_line.h"
#include "io/dtypes.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

const char* const kKey = "model.adapter";
const char* const kFirst = "layers.0.self_attn.q_proj.lora_A.weight";

// In front of "layers.": of LLaVA's own model; of transformers' since 4.52 and before.
const char* const kPrefixes[] = {"base_model.model.model.", "base_model.model.model.language_model.",
                                 "base_model.model.language_model.model."};

// "layers.3.mlp.up_proj.lora_A.weight".
std::string short_name(const LinearSpec& spec, const char* matrix) {
  return spec.name.substr(std::string("model.").size()) + "." + matrix + ".weight";
}

bool is_projector_name(const std::string& name) {
  const bool is_part =
      name.find("mm_projector") != name.npos || name.find("multi_modal_projector") != name.npos;
  return is_part && name.find(".lora_") == name.npos;
}

// Whether the file has a projector; what its tensors are is seen when they are read.
bool has_projector(const TensorFile& file, ProjectorKind kind) {
  const auto found = std::count_if(file.shapes.begin(), file.shapes.end(),
                                   [](const auto& entry) { return is_projector_name(entry.first); });
  const auto whole = static_cast<int64_t>(projector_shapes(kind, 1, 1).size());
  require(found == 0 || found == whole, "adapter", "expected the ", whole, " tensors of a ",
          projector_kind_name(kind), " projector or none, got ", found, ": ", file.path.string());
  return found > 0;
}

// What of PEFT's configuration changes the computation, and the only value that is computed here.
void require_plain(const nlohmann::json& config, const fs::path& path) {
  const nlohmann::json nothing = nlohmann::json::object();
  const nlohmann::json plain = {{"peft_type", "LORA"},
                                {"bias", "none"},
                                {"lora_bias", false},
                                {"use_rslora", false},
                                {"use_dora", false},
                                {"use_qalora", false},
                                {"use_bdlora", false},
                                {"fan_in_fan_out", false},
                                {"rank_pattern", nothing},
                                {"alpha_pattern", nothing},
                                {"layer_replication", nullptr},
                                {"alora_invocation_tokens", nullptr},
                                {"arrow_config", nullptr},
                                {"kasa_config", nullptr}};
  for (const auto& [name, value] : plain.items()) {
    const nlohmann::json given = config.value(name, nlohmann::json());
    require(given.is_null() || given == value, "adapter", "expected plain LoRA with ", name, " ",
            value.dump(), ", got ", one_line(given.dump()), " (", path.string(), ")");
  }
}

double positive_number(const nlohmann::json& config, const char* name, const fs::path& path) {
  const bool good = config.contains(name) && config[name].is_number() && config[name].get<double>() > 0;
  require(good, "adapter", "expected a number above 0 as ", name, ", got ",
          config.contains(name) ? one_line(config[name].dump()) : "none", " (", path.string(), ")");
  return config[name].get<double>();
}

fs::path find_weights(const fs::path& folder) {
  for (const char* name : {"adapter_model.safetensors", "adapter_model.bin"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  fail("adapter", "expected adapter_model.safetensors or adapter_model.bin, got none in ", folder.string());
}

void require_tensor(const TensorFile& file, const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = file.shapes.find(name);
  require(found != file.shapes.end(), "adapter", "expected the tensor ", name,
          " (LoRA on the seven linears of every block), got none: ", file.path.string());
  require(found->second == shape, "adapter", "tensor ", name, ": expected shape ", at::IntArrayRef(shape),
          ", got ", at::IntArrayRef(found->second), ": ", file.path.string());
  require(at::isFloatingType(file.dtypes.at(name)), "adapter", "tensor ", name,
          ": expected floating-point numbers, got ", dtype_name(file.dtypes.at(name)), ": ",
          file.path.string());
}

void require_finite(const at::Tensor& values, const std::string& name, const fs::path& path) {
  require(at::isfinite(values).all().item<bool>(), "adapter", "tensor ", name,
          ": expected finite numbers, got NaN or infinity: ", path.string());
}

}  // namespace

LoraFolder::LoraFolder(const fs::path& folder, const LlavaConfig& config) : folder_(folder), config_(config) {
  check_at_key(kKey, [&] {
    require(fs::is_directory(folder), "adapter", "expected a LoRA folder, got a file: ", folder.string());
    read_config_file();
    file_ = open_tensor_file(find_weights(folder));
    find_names();
    find_projector();
    if (!is_torch_file(file_.path)) {
      const auto metadata = SafetensorsFile(file_.path).metadata();
      if (metadata.contains("base_sha256")) base_sha256_ = metadata.at("base_sha256");
    }
  });
}

void LoraFolder::read_config_file() {
  const fs::path path = folder_ / "adapter_config.json";
  const nlohmann::json config = read_json(path);
  require(config.is_object(), "adapter", "expected an object in ", path.string());
  require_plain(config, path);
  const double rank = positive_number(config, "r", path);
  require(config["r"].is_number_integer(), "adapter", "expected a whole number as r, got ", rank, " (",
          path.string(), ")");
  options_.rank = config["r"].get<int64_t>();
  options_.alpha = positive_number(config, "lora_alpha", path);
  options_.dropout = 0.0;
}

void LoraFolder::find_names() {
  for (const char* prefix : kPrefixes) {
    if (file_.shapes.contains(std::string(prefix) + kFirst)) prefix_ = prefix;
  }
  if (prefix_.empty())
    fail("adapter", "expected the tensor ", kPrefixes[0], kFirst,
         " or another known name of it, got none: ", file_.path.string());
  std::set<std::string> known;
  for (const LinearSpec& spec : linear_specs(config_.language)) {
    const std::string a = prefix_ + short_name(spec, "lora_A"), b = prefix_ + short_name(spec, "lora_B");
    require_tensor(file_, a, {options_.rank, spec.columns});
    require_tensor(file_, b, {spec.rows, options_.rank});
    known.insert({a, b});
  }
  for (const auto& [name, shape] : file_.shapes) {
    require(known.contains(name) || is_projector_name(name), "adapter",
            "expected LoRA of the decoder's linears in ", config_.language.layers,
            " blocks and a projector, got ", one_line(name), ": ", file_.path.string());
  }
}

void LoraFolder::find_projector() {
  if (has_projector(file_, config_.projector)) projector_file_ = file_.path;
  const fs::path others = folder_ / "non_lora_trainables.bin";
  if (!fs::exists(others)) return;
  const TensorFile file = open_tensor_file(others);
  for (const auto& [name, shape] : file.shapes)
    require(is_projector_name(name), "adapter", "expected the projector alone, got ", one_line(name), ": ",
            others.string());
  if (!has_projector(file, config_.projector)) return;
  require(projector_file_.empty(), "adapter", "expected one projector, got one in ", projector_file_.string(),
          " and one in ", others.string());
  projector_file_ = others;
}

at::Tensor LoraFolder::values(const LinearSpec& spec, const char* matrix) const {
  const std::string name = prefix_ + short_name(spec, matrix);
  const at::Tensor values = file_.tensor(name).to(at::kFloat);
  require_finite(values, name, file_.path);
  return values;
}

std::optional<Projector> LoraFolder::projector() const {
  if (projector_file_.empty()) return std::nullopt;
  Projector projector =
      read_projector(projector_file_, config_.projector, config_.vision.width, config_.language.width);
  for (const auto& [name, tensor] : projector_tensors(projector))
    require_finite(*tensor, name, projector_file_);
  return projector;
}

void LoraFolder::check_values() const {
  check_at_key(kKey, [&] {
    for (const LinearSpec& spec : linear_specs(config_.language)) {
      values(spec, "lora_A");
      values(spec, "lora_B");
    }
    projector();
  });
}

void LoraFolder::lay_over(Llava& model, const std::vector<LoraLinear*>& adapter) const {
  at::NoGradGuard no_grad;
  check_at_key(kKey, [&] {
    const auto specs = linear_specs(config_.language);
    QSLAW_CHECK(adapter.size() == specs.size());
    for (size_t i = 0; i < specs.size(); ++i) {
      adapter[i]->a_RK().copy_(values(specs[i], "lora_A"));
      adapter[i]->b_NR().copy_(values(specs[i], "lora_B"));
    }
    auto given = projector();
    if (!given) return;
    const auto from = projector_tensors(*given), to = projector_tensors(model.projector);
    for (size_t i = 0; i < to.size(); ++i)
      *to[i].second = from[i].second->to(to[i].second->options());
  });
}

}  // namespace qslaw
