#include "train/movement.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/files.h"

namespace qslaw {
namespace {

std::string tensor_hash(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().cpu().contiguous();
  return sha256({static_cast<const char*>(host.const_data_ptr()), host.nbytes()});
}

}  // namespace

std::map<std::string, std::string> hash_tensors(const std::vector<ParameterGroup>& groups) {
  std::map<std::string, std::string> hashes;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.tensors)
      hashes[name] = tensor_hash(tensor);
  }
  return hashes;
}

void require_movement(const std::string& title, const std::vector<ParameterGroup>& groups,
                      const std::map<std::string, std::string>& before, int64_t steps) {
  std::vector<std::string> unmoved;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.tensors) {
      const auto found = before.find(name);
      if (found != before.end() && found->second == tensor_hash(tensor)) unmoved.push_back(name);
    }
  }
  if (unmoved.empty()) return;
  const size_t count = unmoved.size();
  if (count > 3) unmoved.resize(3);
  fail(title, "expected every trainable tensor to have moved after ", steps, " steps, got ", count,
       " that did not: ", join(unmoved), count > 3 ? ", ..." : "",
       steps == 1 ? " (the first step's rate is 0 unless optimizer.warmup_ratio is)" : "");
}

}  // namespace qslaw
