#include "recipe/field_reader.h"

#include <algorithm>

#include "core/key_error.h"

namespace qslaw {

void require_known_keys(const YamlNode& node, const std::string& key, const std::vector<std::string>& names) {
  if (node.kind != YamlNode::Kind::map) fail_at(node, key, "expected a map of keys, got ", describe(node));
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& name = node.keys[i];
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = nearest_name(name, names);
    const std::string shown = one_line(name);
    if (near.empty())
      fail_at(node.values[i], join_key(key, shown), "expected the key ", join_or(names), ", got \"", shown,
              "\"");
    fail_at(node.values[i], join_key(key, shown), "expected a known key, got \"", shown,
            "\"; did you mean \"", near, "\"?");
  }
}

}  // namespace qslaw
