#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <set>

#include "core/error.h"
#include "io/safetensors.h"
#include "model/part_getters.h"
#include "model/weight_names.h"

namespace qslaw {
namespace {

// The tensors of files that are laid over a base, by full name.
class LaidOver {
 public:
  explicit LaidOver(const std::vector<std::filesystem::path>& paths) {
    for (const auto& path : paths) {
      const auto file = std::make_shared<SafetensorsFile>(path);
      for (const auto& [name, entry] : file->entries())
        files_[name] = file;
    }
  }

  bool has(const std::string& name) const { return files_.count(name) > 0; }

  at::Tensor take(const std::string& name, const Shape& shape) {
    const SafetensorsFile& file = *files_.at(name);
    const at::Tensor tensor = file.tensor(name);
    require(tensor.sizes() == at::IntArrayRef(shape), "model", "tensor ", name, ": expected shape ",
            at::IntArrayRef(shape), ", got ", tensor.sizes(), " (", file.path().string(), ")");
    taken_.insert(name);
    return tensor;
  }

  void require_all_taken() const {
    for (const auto& [name, file] : files_) {
      require(taken_.count(name) > 0, "model", "expected only the model's tensors, got also ", name, " (",
              file->path().string(), ")");
    }
  }

 private:
  std::map<std::string, std::shared_ptr<SafetensorsFile>> files_;
  std::set<std::string> taken_;
};

// A linear projector must not pass for the first layer of one with two.
void require_whole_projector(const LaidOver& tensors, const LlavaConfig& config) {
  Projector names_only{config.projector, {}, {}};
  std::string found, missing;
  for (const auto& [name, tensor] : projector_tensors(names_only)) {
    const std::string full = written_names().projector + name;
    (tensors.has(full) ? found : missing) = full;
  }
  require(found.empty() || missing.empty(), "model", "expected tensor ", missing, " beside the tuned ", found,
          ", got none");
}

// The base is asked even for what lies over it, so that its own leftovers can be told apart; this only maps a
// file.
TensorGetter over(const TensorGetter& base, const std::shared_ptr<LaidOver>& tensors,
                  const std::string& prefix) {
  return [base, tensors, prefix](const std::string& name, const Shape& shape) {
    const at::Tensor below = base(name, shape);
    const std::string full = name == kHeadName ? written_names().head : prefix + name;
    return tensors->has(full) ? tensors->take(full, shape) : below;
  };
}

}  // namespace

PartGetters lay_over(const PartGetters& base, const std::vector<std::filesystem::path>& files,
                     const LlavaConfig& config) {
  const auto tensors = std::make_shared<LaidOver>(files);
  require_whole_projector(*tensors, config);
  const WeightNames names = written_names();
  return {over(base.language, tensors, names.language), over(base.vision, tensors, names.vision),
          over(base.projector, tensors, names.projector),
          [tensors, finish = base.finish] {
            finish();
            tensors->require_all_taken();
          },
          base.has_vision};
}

}  // namespace qslaw
