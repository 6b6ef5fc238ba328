#include "recipe/yaml_node.h"

#include <sstream>

#include "core/text.h"

namespace qslaw {

const YamlNode* YamlNode::find(std::string_view key) const {
  if (kind != Kind::map) return nullptr;
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &values[i];
  return nullptr;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::scalar:
      break;
  }
  return concat("\"", one_line(node.text), "\"", node.quoted ? " in quotes" : "");
}

std::string join_key(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : concat(parent, ".", name);
}

std::vector<std::string> split_key(const std::string& key) {
  std::vector<std::string> names;
  std::istringstream in(key);
  for (std::string name; std::getline(in, name, '.');)
    names.push_back(name);
  return names;
}

std::string at_place(const YamlNode& node, const std::string& key, const std::string& message) {
  const std::string end = key.empty() ? "" : ", key " + one_line(key, 1000);
  return concat(message, " (", node.place, end, ")");
}

}  // namespace qslaw
