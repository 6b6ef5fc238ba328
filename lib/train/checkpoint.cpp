#include "train/checkpoint.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "io/dtypes.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

const char* const kPrefix = "checkpoint-";
const char* const kBlocks = "checkpoint-blocks";
const char* const kAnswers = "checkpoint-answers";
const char* const kUnfinished = "checkpoint.tmp";
const char* const kTrainable = "trainable.safetensors";
const char* const kOptimizer = "optimizer.safetensors";
const char* const kState = "state.json";

// Step of a checkpoint folder's name, or -1 for other names.
int64_t step_of(const fs::path& path) {
  const std::string name = path.filename().string(), prefix = kPrefix;
  if (name.rfind(prefix, 0) != 0 || name.size() > prefix.size() + 18) return -1;
  const std::string digits = name.substr(prefix.size());
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

std::vector<fs::path> list_checkpoints(const fs::path& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && step_of(entry.path()) >= 0) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return step_of(a) < step_of(b); });
  return found;
}

NamedTensors optimizer_tensors(const std::vector<ParameterGroup>& groups,
                               const std::vector<AdamW>& optimizers) {
  NamedTensors named;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t i = 0; i < groups[g].tensors.size(); ++i) {
      const std::string& name = groups[g].tensors[i].first;
      for (const auto& [part, tensor] : optimizers[g].states(i))
        named.emplace_back(name + "." + part, tensor);
    }
  }
  return named;
}

NamedTensors trainable_tensors(const std::vector<ParameterGroup>& groups) {
  NamedTensors named;
  for (const auto& group : groups)
    named.insert(named.end(), group.tensors.begin(), group.tensors.end());
  return named;
}

void restore(const fs::path& path, const NamedTensors& targets) {
  const SafetensorsFile file(path);
  require(file.entries().size() == targets.size(), "resume", "expected ", targets.size(), " tensors, got ",
          file.entries().size(), " (", path.string(), ")");
  at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    const at::Tensor stored = file.tensor(name);
    require(stored.sizes() == target.sizes() && stored.scalar_type() == target.scalar_type(), "resume",
            "tensor ", name, ": expected ", dtype_name(target.scalar_type()), " ", target.sizes(), ", got ",
            dtype_name(stored.scalar_type()), " ", stored.sizes(), " (", path.string(), ")");
    at::Tensor(target).copy_(stored);
  }
}

// Under its own name a folder that a kill left half removed would pass for a checkpoint.
void remove_checkpoint(const fs::path& path) {
  const fs::path unfinished = path.parent_path() / kUnfinished;
  fs::remove_all(unfinished);
  fs::rename(path, unfinished);
  fs::remove_all(unfinished);
}

}  // namespace

std::optional<fs::path> find_checkpoint(const fs::path& folder) {
  const auto found = list_checkpoints(folder);
  if (found.empty()) return std::nullopt;
  return found.back();
}

fs::path block_checkpoint(const fs::path& folder) {
  return folder / kBlocks;
}

fs::path answer_checkpoint(const fs::path& folder) {
  return folder / kAnswers;
}

bool has_progress(const fs::path& folder) {
  const auto found = list_checkpoints(folder);
  if (!found.empty() && step_of(found.back()) > 0) return true;
  if (fs::is_directory(answer_checkpoint(folder))) return true;
  const fs::path blocks = block_checkpoint(folder);
  if (!fs::is_directory(blocks)) return false;
  // A block's second file says that it is whole.
  return std::any_of(fs::directory_iterator(blocks), fs::directory_iterator(),
                     [](const fs::directory_entry& entry) { return entry.path().extension() == ".json"; });
}

fs::path save_checkpoint(const fs::path& folder, int64_t step, const std::vector<ParameterGroup>& groups,
                         std::vector<AdamW>& optimizers, const nlohmann::json& state) {
  const fs::path unfinished = folder / kUnfinished, finished = folder / (kPrefix + std::to_string(step));
  const auto older = list_checkpoints(folder);
  if (fs::exists(finished)) return finished;  // the same step was saved already, with the same content
  fs::remove_all(unfinished);
  make_folder(unfinished);
  write_safetensors(unfinished / kTrainable, trainable_tensors(groups));
  write_safetensors(unfinished / kOptimizer, optimizer_tensors(groups, optimizers));
  write_json(unfinished / kState, state);
  rename_durably(unfinished, finished);
  for (const auto& path : older)
    remove_checkpoint(path);
  return finished;
}

fs::path state_file(const fs::path& checkpoint) {
  return checkpoint / kState;
}

nlohmann::json checkpoint_state(const fs::path& checkpoint) {
  return read_json(state_file(checkpoint));
}

nlohmann::json load_checkpoint(const fs::path& checkpoint, const std::vector<ParameterGroup>& groups,
                               std::vector<AdamW>& optimizers) {
  restore(checkpoint / kTrainable, trainable_tensors(groups));
  restore(checkpoint / kOptimizer, optimizer_tensors(groups, optimizers));
  return checkpoint_state(checkpoint);
}

void remove_checkpoints(const fs::path& folder) {
  for (const auto& path : list_checkpoints(folder))
    remove_checkpoint(path);
  for (const fs::path& parts : {block_checkpoint(folder), answer_checkpoint(folder)}) {
    if (fs::exists(parts)) remove_checkpoint(parts);
  }
  fs::remove_all(folder / kUnfinished);
}

}  // namespace qslaw
