#include "recipe/field_reader.h"

#include <algorithm>

#include "core/key_error.h"

namespace qslaw {
namespace {

/// The visitor (see fields.h) that lists the paths of all keys, items of lists without their number.
class KeyPaths {
 public:
  static constexpr bool kReads = false;
  KeyPaths(std::string key, std::vector<std::string>& paths) : key_(std::move(key)), paths_(paths) {}

  template <class T>
  void operator()(const char* name, T&& value, const Use& = {}) {
    const std::string path = join_key(key_, name);
    paths_.push_back(path);
    enter(path, value);
  }

 private:
  template <HasFields T>
  void enter(const std::string& path, T& value) const {
    KeyPaths below(path, paths_);
    fields(below, value);
  }
  template <HasFields T>
  void enter(const std::string& path, std::optional<T>&) const {
    T value;
    enter(path, value);
  }
  template <HasFields T>
  void enter(const std::string& path, std::vector<T>&) const {
    T value;
    enter(path, value);
  }
  template <class T>
  void enter(const std::string&, T&) const {}  // a value

  std::string key_;
  std::vector<std::string>& paths_;
};

std::string without_numbers(const std::string& key) {
  std::string path;
  for (const std::string& part : split_key(key)) {
    if (part.find_first_not_of("0123456789") != part.npos) path = join_key(path, part);
  }
  return path;
}

/// Where else the section of the map at `key` has a key `name`: as near to the map as there is one.
std::vector<std::string> other_places(const std::string& key, const std::string& name) {
  Recipe recipe;
  std::vector<std::string> all, found;
  KeyPaths paths("", all);
  fields(paths, recipe);
  const auto levels = [](const std::string& path) { return std::count(path.begin(), path.end(), '.'); };
  for (std::string scope = without_numbers(key); found.empty(); scope.resize(scope.rfind('.'))) {
    for (const std::string& path : all) {
      if (!path.starts_with(scope.empty() ? "" : scope + ".") || !path.ends_with("." + name)) continue;
      if (!found.empty() && levels(path) < levels(found.front())) found.clear();
      if (found.empty() || levels(path) == levels(found.front())) found.push_back("\"" + path + "\"");
    }
    if (scope.find('.') == scope.npos) break;
  }
  return found;
}

/// What an unknown key may have been meant to be, in quotes; "" when nothing is like it.
std::string likely_meant(const std::string& key, const std::string& name,
                         const std::vector<std::string>& names) {
  const std::vector<std::string> elsewhere = other_places(key, name);
  const std::string near = nearest_name(name, names);
  if (!elsewhere.empty()) return join_or(elsewhere);
  return near.empty() ? "" : "\"" + near + "\"";
}

}  // namespace

void require_known_keys(const YamlNode& node, const std::string& key, const std::vector<std::string>& names) {
  if (node.kind != YamlNode::Kind::map) fail_at(node, key, "expected a map of keys, got ", describe(node));
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& name = node.keys[i];
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string meant = likely_meant(key, name, names);
    const std::string shown = one_line(name);
    if (meant.empty())
      fail_at(node.values[i], join_key(key, shown), "expected the key ", join_or(names), ", got \"", shown,
              "\"");
    fail_at(node.values[i], join_key(key, shown), "expected a known key, got \"", shown, "\"; did you mean ",
            meant, "?");
  }
}

}  // namespace qslaw
