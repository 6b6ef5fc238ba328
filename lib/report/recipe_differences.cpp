#include "report/recipe_differences.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>

#include "core/text.h"
#include "report/markup.h"

namespace qslaw {
namespace {

constexpr int kLongestList = 40;  // terminal cells

// A run's value under a key; none where it has not even the section.
using Value = std::optional<YAML::Node>;

bool is_section(const YAML::Node& node) {
  const auto is_map = [](const YAML::Node& item) { return item.IsMap(); };
  return node.IsMap() ||
         (node.IsSequence() && node.size() > 0 && std::all_of(node.begin(), node.end(), is_map));
}

// A list whose items are told apart by their names, as benchmarks are.
bool is_named_list(const YAML::Node& node) {
  return node.IsSequence() && is_section(node) &&
         std::all_of(node.begin(), node.end(), [](const YAML::Node& item) { return bool(item["name"]); });
}

std::vector<std::pair<std::string, YAML::Node>> entries(const YAML::Node& section) {
  std::vector<std::pair<std::string, YAML::Node>> out;
  if (section.IsMap()) {
    for (const auto& entry : section)
      out.emplace_back(entry.first.Scalar(), entry.second);
    return out;
  }
  for (const auto& item : section) {
    const auto name = item["name"];
    out.emplace_back(name ? name.Scalar() : std::to_string(out.size()), item);
  }
  return out;
}

// In an order of their own: that of the items is no difference.
std::string item_names(const YAML::Node& list) {
  std::vector<std::string> names;
  for (const auto& [name, item] : entries(list))
    names.push_back(name);
  std::sort(names.begin(), names.end());
  return join(names);
}

std::string value_text(const YAML::Node& node) {
  if (node.IsNull()) return "none";
  if (is_named_list(node)) return item_names(node);
  if (is_section(node)) return "given";
  if (node.IsSequence()) return YAML::Dump(node);
  return node.Scalar().empty() ? "\"\"" : node.Scalar();
}

TableCell value_cell(const Value& value) {
  if (!value) return empty_cell();
  const std::string text = value_text(*value);
  return cell(value->IsSequence() && !is_section(*value) ? shorten(text, kLongestList) : text);
}

// Those of all runs, each once; one that the runs before do not have stands behind its neighbor.
std::vector<std::string> keys_below(const std::vector<Value>& values) {
  std::vector<std::string> keys;
  for (const Value& value : values) {
    if (!value || !is_section(*value)) continue;
    auto place = keys.begin();
    for (const auto& [key, node] : entries(*value)) {
      const auto known = std::find(keys.begin(), keys.end(), key);
      place = (known == keys.end() ? keys.insert(place, key) : known) + 1;
    }
  }
  return keys;
}

Value value_below(const Value& value, const std::string& key) {
  if (!value || !is_section(*value)) return std::nullopt;
  for (const auto& [name, node] : entries(*value)) {
    if (name == key) return node;
  }
  if (is_named_list(*value)) return std::nullopt;  // the list's own row says which it has
  return YAML::Node(YAML::NodeType::Null);
}

void add_differences(const std::string& key, const std::vector<Value>& values, Table& table) {
  std::set<std::string> texts;
  std::vector<TableCell> row = {cell(key)};
  for (const Value& value : values) {
    if (value) texts.insert(value_text(*value));
    row.push_back(value_cell(value));
  }
  if (texts.size() > 1) table.add_row(std::move(row));
  for (const std::string& name : keys_below(values)) {
    if (key.empty() && (name == "name" || name == "output")) continue;
    std::vector<Value> below;
    for (const Value& value : values)
      below.push_back(value_below(value, name));
    add_differences(key.empty() ? name : concat(key, ".", name), below, table);
  }
}

Value read_recipe(const std::string& text) {
  try {
    const YAML::Node recipe = YAML::Load(text);
    if (recipe.IsMap()) return recipe;
  } catch (const YAML::Exception&) {  // the rest of the page needs no recipe
  }
  return std::nullopt;
}

// By recursion: assigning to a node would change the tree that it is part of.
Value section_at(const Value& value, std::span<const std::string> keys) {
  return keys.empty() ? value : section_at(value_below(value, keys.front()), keys.subspan(1));
}

std::string different_values(const std::vector<TableCell>& row) {
  std::vector<std::string> texts;
  for (size_t i = 1; i < row.size(); ++i) {
    if (std::find(texts.begin(), texts.end(), row[i].text) == texts.end()) texts.push_back(row[i].text);
  }
  std::erase(texts, "");  // of keys in a section that a recipe does without
  return join(texts, "; ");
}

}  // namespace

Table recipe_differences(const std::vector<RunFolder>& runs) {
  Table table{"", {"key"}, {}};
  std::vector<Value> recipes;
  for (const RunFolder& run : runs) {
    table.columns.push_back(run.name);
    recipes.push_back(read_recipe(run_recipe(run)));
  }
  add_differences("", recipes, table);
  return table;
}

std::string section_differences(const std::vector<std::string>& recipes,
                                const std::vector<std::string>& section) {
  Table table{"", {"key"}, {}};
  std::vector<Value> values;
  for (const std::string& recipe : recipes) {
    const Value value = section_at(read_recipe(recipe), section);
    if (!value || !is_section(*value)) continue;
    values.push_back(value);
    table.columns.emplace_back();
  }
  const std::string name = join(section, ".");
  add_differences(name, values, table);
  std::vector<std::string> different;
  for (const auto& row : table.rows)
    different.push_back(concat(row[0].text.substr(name.size() + 1), " (", different_values(row), ")"));
  return join(different);
}

}  // namespace qslaw
