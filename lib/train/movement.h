// Whether training has changed what it was to change.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/parameters.h"

namespace qslaw {

/// A hash of each tensor's content, by name.
std::map<std::string, std::string> hash_tensors(const std::vector<ParameterGroup>& groups);

/// UserError("[title] ...") naming tensors that still have their hash of `before`, after `steps` steps, and
/// the place where `keep`, called before that, has left what was trained.
void require_movement(const std::string& title, const std::vector<ParameterGroup>& groups,
                      const std::map<std::string, std::string>& before, int64_t steps,
                      const std::function<std::string()>& keep);

}  // namespace qslaw
