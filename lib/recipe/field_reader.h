// The visitor that fills an options struct from YAML (see fields.h).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "recipe/fields.h"
#include "recipe/scalars.h"
#include "recipe/yaml_node.h"

namespace qslaw {

/// Visitor that lists the keys of one struct.
struct KeyNames {
  static constexpr bool kReads = false;
  std::vector<std::string> names;
  template <class T>
  void operator()(const char* name, T&&, const Use& = {}) {
    names.emplace_back(name);
  }
};

template <class T>
concept HasFields = requires(KeyNames& visitor, T& value) {
  fields(visitor, value);
};

/// Fails unless `node` is a map with keys of `names` only; an unknown key is answered with where its section
/// has one of that name, or the nearest known one.
void require_known_keys(const YamlNode& node, const std::string& key, const std::vector<std::string>& names);

/// Reads the keys of one map. A key that another key makes useless is noted in `unused` (an error's text)
/// instead of thrown, so that a wrong value of that other key is reported first.
class FieldReader {
 public:
  static constexpr bool kReads = true;
  FieldReader(const YamlNode& node, std::string key, std::vector<std::string>& unused)
      : node_(node), key_(std::move(key)), unused_(unused) {}

  template <class T>
  void operator()(const char* name, T&& value, const Use& use = {}) {
    const YamlNode* child = node_.find(name);
    const std::string key = join_key(key_, name);
    if (!child || (child->kind == YamlNode::Kind::null && !use.allowed)) {
      if (use.needed) fail_at(node_, key, "expected the key \"", name, "\", got none");
    } else if (!use.allowed) {
      unused_.push_back(
          at_place(*child, key, concat("expected no key \"", name, "\" as ", use.why, ", got one")));
    } else {
      if (use.needed && child->kind == YamlNode::Kind::null)
        fail_at(*child, key, "expected a value for \"", name, "\", got nothing");
      read(*child, key, value);
    }
  }

 private:
  template <HasFields T>
  void read(const YamlNode& node, const std::string& key, T& value) {
    if (node.kind == YamlNode::Kind::null) return;  // a section without keys: its defaults
    KeyNames known;
    fields(known, value);
    require_known_keys(node, key, known.names);
    FieldReader reader(node, key, unused_);
    fields(reader, value);
  }

  template <class T>
  void read(const YamlNode& node, const std::string& key, std::optional<T>& value) {
    value.reset();
    if (node.kind == YamlNode::Kind::null) return;
    read(node, key, value.emplace());
  }

  template <class T>
  void read(const YamlNode& node, const std::string& key, std::vector<T>& value) {
    if (node.kind != YamlNode::Kind::list) fail_at(node, key, "expected a list, got ", describe(node));
    value.clear();
    for (size_t i = 0; i < node.values.size(); ++i)
      read(node.values[i], join_key(key, std::to_string(i)), value.emplace_back());
  }

  void read(const YamlNode& node, const std::string& key, ShareCurve& value) {
    if (node.kind == YamlNode::Kind::null) return;  // not set
    read_value(node, key, value);
  }

  template <class T>
  void read(const YamlNode& node, const std::string& key, T& value) {
    read_value(node, key, value);
  }

  const YamlNode& node_;
  std::string key_;
  std::vector<std::string>& unused_;
};

}  // namespace qslaw
