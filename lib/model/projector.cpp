#include "model/projector.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "io/tensor_file.h"
#include "model/random_tensor.h"

namespace qslaw {
namespace {

// The names one tensor may have in a projector file, without prefix.
std::vector<std::string> known_names(const std::string& name, ProjectorKind kind) {
  const std::string leaf = name.substr(name.find('.') + 1);
  if (kind == ProjectorKind::linear) return {name, "mm_projector." + leaf};
  return {name, name.rfind("linear_1", 0) == 0 ? "mm_projector.0." + leaf : "mm_projector.2." + leaf};
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

at::Tensor find_tensor(const TensorFile& file, const std::string& name, ProjectorKind kind,
                       const std::vector<int64_t>& shape) {
  for (const auto& [stored, stored_shape] : file.shapes) {
    for (const auto& known : known_names(name, kind)) {
      if (!ends_with(stored, known)) continue;
      require_weight(file, stored, shape, "projector");
      return file.tensor(stored).to(at::kFloat, false, true);
    }
  }
  fail("projector", "expected tensor ", name, " of a ", projector_kind_name(kind), " projector, got none (",
       file.path.string(), ")");
}

// A two-layer projector's first layer must not pass for a linear one.
void refuse_second_layer(const TensorFile& file) {
  for (const auto& [stored, stored_shape] : file.shapes) {
    for (const auto& second : known_names("linear_2.weight", ProjectorKind::mlp2x_gelu)) {
      require(!ends_with(stored, second), "projector", "expected a linear projector, got the second layer ",
              stored, " (", file.path.string(), ")");
    }
  }
}

}  // namespace

at::Tensor project_features(const Projector& projector, const at::Tensor& features) {
  const at::Tensor first = affine(features, projector.first);
  return projector.kind == ProjectorKind::linear ? first : affine(at::gelu(first), projector.second);
}

std::vector<std::pair<std::string, at::Tensor*>> projector_tensors(Projector& projector) {
  std::vector<std::pair<std::string, at::Tensor*>> tensors = {{"linear_1.weight", &projector.first.weight},
                                                              {"linear_1.bias", &projector.first.bias}};
  if (projector.kind == ProjectorKind::mlp2x_gelu) {
    tensors.push_back({"linear_2.weight", &projector.second.weight});
    tensors.push_back({"linear_2.bias", &projector.second.bias});
  }
  return tensors;
}

std::vector<std::vector<int64_t>> projector_shapes(ProjectorKind kind, int64_t vision_width, int64_t width) {
  if (kind == ProjectorKind::linear) return {{width, vision_width}, {width}};
  return {{width, vision_width}, {width}, {width, width}, {width}};
}

Projector fresh_projector(ProjectorKind kind, int64_t vision_width, int64_t width, uint64_t seed) {
  Projector projector{kind, {}, {}};
  const auto shapes = projector_shapes(kind, vision_width, width);
  const auto tensors = projector_tensors(projector);
  for (size_t i = 0; i < tensors.size(); ++i) {
    // nn.Linear draws weight and bias from U(-1/sqrt(inputs), 1/sqrt(inputs)).
    const int64_t inputs = shapes[i / 2 * 2][1];
    *tensors[i].second =
        random_uniform(shapes[i], 1.0 / std::sqrt(static_cast<double>(inputs)), mix_seed(seed, i));
  }
  return projector;
}

Projector read_projector(const std::filesystem::path& path, ProjectorKind kind, int64_t vision_width,
                         int64_t width) {
  const TensorFile file = open_tensor_file(path);
  if (kind == ProjectorKind::linear) refuse_second_layer(file);
  Projector projector{kind, {}, {}};
  const auto shapes = projector_shapes(kind, vision_width, width);
  const auto tensors = projector_tensors(projector);
  for (size_t i = 0; i < tensors.size(); ++i)
    *tensors[i].second = find_tensor(file, tensors[i].first, kind, shapes[i]);
  return projector;
}

NamedTensors projector_to_named(Projector& projector) {
  NamedTensors named;
  for (const auto& [name, tensor] : projector_tensors(projector))
    named.push_back({"multi_modal_projector." + name, *tensor});
  return named;
}

}  // namespace qslaw
