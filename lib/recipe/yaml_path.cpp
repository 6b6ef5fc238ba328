#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "recipe/yaml_parse.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

/// `part` as an index into a list of `size`; the size itself when it is none.
size_t parse_index(const std::string& part, size_t size) {
  size_t index = size;
  const char* const end = part.data() + part.size();
  const auto [stop, error] = std::from_chars(part.data(), end, index);
  return error == std::errc() && stop == end && index < size ? index : size;
}

/// The child `part` of `node`, made when absent.
YamlNode& step_into(YamlNode& node, const std::string& part, const std::string& parent,
                    const YamlNode& value) {
  if (node.kind == YamlNode::Kind::list) {
    const size_t index = parse_index(part, node.values.size());
    if (index == node.values.size())
      fail_at(value, parent, "expected an index below ", node.values.size(), ", got \"", one_line(part),
              "\"");
    return node.values[index];
  }
  if (node.kind == YamlNode::Kind::scalar)
    fail_at(value, parent, "expected a map or a list to set \"", one_line(part), "\" in, got ",
            describe(node));
  node.kind = YamlNode::Kind::map;
  const auto found = std::find(node.keys.begin(), node.keys.end(), part);
  if (found != node.keys.end()) return node.values[static_cast<size_t>(found - node.keys.begin())];
  YamlNode made;
  made.place = value.place;
  made.base = value.base;
  node.keys.push_back(part);
  node.values.push_back(std::move(made));
  return node.values.back();
}

}  // namespace

void apply_override(YamlNode& root, const std::string& argument) {
  const std::string shown = "--set " + one_line(argument);
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) fail("recipe", "expected KEY=VALUE, got \"", shown, "\"");
  const std::string key = argument.substr(0, equals);
  const std::vector<std::string> parts = split_key(key);
  const bool gap =
      key.back() == '.' || std::any_of(parts.begin(), parts.end(), [](auto& p) { return p.empty(); });
  if (gap)
    fail("recipe", "expected names separated by single dots, got \"", one_line(key), "\" (", shown, ")");
  YamlNode value = parse_yaml(argument.substr(equals + 1), {shown, false, fs::current_path()});
  YamlNode* node = &root;
  std::string path;
  for (const auto& part : parts) {
    node = &step_into(*node, part, path, value);
    path = join_key(path, part);
  }
  *node = std::move(value);
}

const YamlNode& deepest_written(const YamlNode& root, const std::string& key) {
  const YamlNode* node = &root;
  for (const auto& part : split_key(key)) {
    const bool is_list = node->kind == YamlNode::Kind::list;
    const size_t index = is_list ? parse_index(part, node->values.size()) : 0;
    const YamlNode* next = nullptr;
    if (!is_list) {
      next = node->find(part);
    } else if (index < node->values.size()) {
      next = &node->values[index];
    }
    if (!next) return *node;
    node = next;
  }
  return *node;
}

}  // namespace qslaw
