// A YAML document as a plain value tree that remembers where each node was written. Aliases become copies, so
// that an override of one place leaves the others alone.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/one_line.h"

namespace qslaw {

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;               // of a scalar
  bool quoted = false;            // the scalar stood in quotes or in a block: never a number or a boolean
  std::vector<std::string> keys;  // of a map, each once, in order
  std::vector<YamlNode> values;   // of a map (as many as keys) or a list
  std::string place;              // "FILE, line N" or "--set KEY=VALUE"
  std::filesystem::path base;     // folder that relative paths in this node start from

  /// The value under `key`, or null.
  const YamlNode* find(std::string_view key) const;
};

/// A recipe's bytes. UserError for a missing file and a folder.
std::string read_recipe_text(const std::filesystem::path& file);

/// The recipe in `text`, which was read from `file`; its root is a map. Relative paths start at the file's
/// folder, those of a pipe at the current one. UserError naming file and line for
/// invalid UTF-8, tabs as indentation, bad syntax, duplicate keys, several documents, an empty file or a root
/// that is not a map.
YamlNode parse_recipe_text(const std::string& text, const std::filesystem::path& file);

/// Applies "key.sub=value" (the value is YAML; lists by index). Maps on the way are made when absent, so that
/// an unknown key is reported by whoever reads the tree. UserError for bad syntax, a list index out of range
/// or a path through a value that has no keys.
void apply_override(YamlNode& root, const std::string& argument);

/// The node at the dotted path `key`, or its deepest ancestor that was written.
const YamlNode& deepest_written(const YamlNode& root, const std::string& key);

/// What was written, for "got ...": `"abc"`, a list, a map, nothing.
std::string describe(const YamlNode& node);

/// `name` below the path `parent` ("" for the root).
std::string join_key(const std::string& parent, std::string_view name);
/// The names of such a path.
std::vector<std::string> split_key(const std::string& key);

/// "message (PLACE, key KEY)" as it stands in an error.
std::string at_place(const YamlNode& node, const std::string& key, const std::string& message);

/// Throws UserError("[recipe] parts... (PLACE, key KEY)").
template <typename... Parts>
[[noreturn]] void fail_at(const YamlNode& node, const std::string& key, const Parts&... parts) {
  fail("recipe", at_place(node, key, concat(parts...)));
}

}  // namespace qslaw
