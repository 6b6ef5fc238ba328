// From YAML text to the tree; for yaml_node's own files.
#pragma once
#include <filesystem>
#include <string>

#include "recipe/yaml_node.h"

namespace qslaw {

/// Where a text came from.
struct YamlSource {
  std::string name;
  bool has_lines = true;
  std::filesystem::path base;

  /// `line` counts from 0, as yaml-cpp does; below 0 it is unknown.
  std::string place(int line) const {
    return has_lines && line >= 0 ? concat(name, ", line ", line + 1) : name;
  }
};

/// The tree of one document; its kind is null where there is none. UserError as parse_recipe_text's.
YamlNode parse_yaml(const std::string& text, const YamlSource& source);

}  // namespace qslaw
