#include "quant/group_values.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "core/key_error.h"
#include "core/one_line.h"
#include "io/dtypes.h"

namespace qslaw {
namespace {

const std::string kLayers = "model.layers.";

// "3.mlp.up_proj" of "model.layers.3.mlp.up_proj".
std::string name_by_layer(const LinearSpec& spec) {
  return spec.name.substr(kLayers.size());
}

TensorFile open_at_key(const std::filesystem::path& path, const std::string& key) {
  TensorFile file;
  check_at_key(key, [&] { file = open_tensor_file(path); });
  return file;
}

// What other group size a tensor of this many numbers would fit; empty: none.
std::string other_groups(const LinearSpec& spec, const std::vector<int64_t>& shape) {
  int64_t count = shape.empty() ? 0 : 1;
  for (const int64_t extent : shape) {
    if (extent <= 0 || count > spec.rows * spec.columns / extent) return "";
    count *= extent;
  }
  const bool fits = count > 0 && count % spec.rows == 0 && spec.columns % (count / spec.rows) == 0;
  return fits ? concat(", which is groups of ", spec.columns / (count / spec.rows)) : "";
}

}  // namespace

GroupValues::GroupValues(const std::filesystem::path& path, std::string key, int64_t group_size)
    : key_(std::move(key)), group_size_(group_size), file_(open_at_key(path, key_)) {}

void GroupValues::refuse(const std::string& expected_and_got) const {
  fail_key(key_, expected_and_got, ": ", file_.path.string());
}

std::string GroupValues::stored_name(const LinearSpec& spec, const std::string& leaf) const {
  for (const std::string& linear : {name_by_layer(spec), spec.name}) {
    if (file_.shapes.contains(linear + "." + leaf)) return linear + "." + leaf;
  }
  return "";
}

bool GroupValues::has(const LinearSpec& spec, const std::string& leaf) const {
  return !stored_name(spec, leaf).empty();
}

void GroupValues::require_block(const LinearSpec& spec) const {
  const std::string short_start = concat(spec.layer, "."), long_start = concat(kLayers, spec.layer, ".");
  const bool found = std::any_of(file_.shapes.begin(), file_.shapes.end(), [&](const auto& entry) {
    return entry.first.starts_with(short_start) || entry.first.starts_with(long_start);
  });
  if (!found) refuse(concat("expected tensors of decoder block ", spec.layer, ", got none"));
}

void GroupValues::require_tensor(const LinearSpec& spec, const std::string& leaf) const {
  const std::string name = stored_name(spec, leaf);
  if (name.empty()) {
    require_block(spec);
    refuse(concat("expected the tensor ", name_by_layer(spec), ".", leaf, ", got none"));
  }
  const int64_t groups = spec.columns / group_size_;
  const std::vector<int64_t>& shape = file_.shapes.at(name);
  const std::vector<int64_t> column = {spec.rows * groups, 1}, matrix = {spec.rows, groups};
  if (shape != column && shape != matrix) {
    refuse(concat("tensor ", name, ": expected shape ", at::IntArrayRef(column), " for groups of ",
                  group_size_, ", got ", at::IntArrayRef(shape), other_groups(spec, shape)));
  }
  if (!at::isFloatingType(file_.dtypes.at(name)))
    refuse(concat("tensor ", name, ": expected floating-point numbers, got ",
                  dtype_name(file_.dtypes.at(name))));
}

at::Tensor GroupValues::values(const LinearSpec& spec, const std::string& leaf) const {
  const std::string name = stored_name(spec, leaf);
  const at::Tensor stored = file_.tensor(name);
  const at::Tensor values = stored.to(at::kFloat, false, true).view({spec.rows, spec.columns / group_size_});
  if (!at::isfinite(values).all().item<bool>())
    refuse(concat("tensor ", name, ": expected finite numbers, got NaN or infinity"));
  return values;
}

void GroupValues::require_only(const std::vector<LinearSpec>& specs,
                               const std::vector<std::string>& leaves) const {
  std::set<std::string> known;
  for (const LinearSpec& spec : specs) {
    for (const std::string& leaf : leaves)
      known.insert(stored_name(spec, leaf));
  }
  for (const auto& [name, shape] : file_.shapes) {
    if (known.contains(name)) continue;
    const bool smoothing = name.find("smooth") != name.npos;
    refuse(concat("expected only ", join_or(leaves), " of the linears of ", specs.back().layer + 1,
                  " decoder blocks, got ", one_line(name),
                  smoothing ? ": learned equivalent transformation (LET) is not supported" : ""));
  }
}

}  // namespace qslaw
