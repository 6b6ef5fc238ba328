#include "core/key_error.h"

#include <algorithm>

namespace qslaw {

std::string join_or(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const std::vector<std::string> head(names.begin(), names.end() - 1);
  return head.empty() ? names.back() : join(head) + " or " + names.back();
}

void require_one_of(const std::string& key, const std::string& value, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), value) != names.end()) return;
  const std::string near = nearest_name(value, names);
  fail_key(key, "expected ", join_or(names), ", got \"", value, "\"",
           near.empty() ? "" : "; did you mean \"" + near + "\"?");
}

void require_at_least(const std::string& key, int64_t value, int64_t low) {
  require_key(value >= low, key, "expected at least ", low, ", got ", value);
}

void require_between(const std::string& key, int64_t value, int64_t low, int64_t high) {
  require_key(value >= low && value <= high, key, "expected ", low, " to ", high, ", got ", value);
}

void require_between(const std::string& key, double value, double low, double high) {
  require_key(value >= low && value <= high, key, "expected ", low, " to ", high, ", got ", value);
}

void require_positive(const std::string& key, double value) {
  require_key(value > 0.0, key, "expected more than 0, got ", value);
}

void require_positive(const std::string& key, double value, double high) {
  require_key(value > 0.0 && value <= high, key, "expected more than 0, at most ", high, ", got ", value);
}

}  // namespace qslaw
