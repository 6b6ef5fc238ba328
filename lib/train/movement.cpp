#include "train/movement.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"

namespace qslaw {
namespace {

// The rate may begin at 0; the next step moves LoRA's B, which begins at 0, and the one after that its A.
constexpr int64_t kStepsToMove = 3;

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
                      const std::map<std::string, std::string>& before, int64_t steps,
                      const std::function<std::string()>& keep) {
  std::vector<std::string> unmoved;
  for (const ParameterGroup& group : groups) {
    for (const auto& [name, tensor] : group.tensors) {
      const auto found = before.find(name);
      if (found != before.end() && found->second == tensor_hash(tensor)) unmoved.push_back(name);
    }
  }
  if (unmoved.empty()) return;
  if (steps < kStepsToMove) {
    log_warning(concat(title, ": ", unmoved.size(), " trainable tensors have not moved, which ", steps,
                       " step(s) do not promise: a rate may begin at 0, and LoRA's A waits for its B"));
    return;
  }
  const size_t count = unmoved.size();
  if (count > 3) unmoved.resize(3);
  fail(title, "expected every trainable tensor to have moved after ", steps, " steps, got ", count,
       " that did not: ", join(unmoved), count > 3 ? ", ..." : "", " (the state is kept in ", keep(),
       "; start over with --restart)");
}

}  // namespace qslaw
