#include "recipe/yaml_node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/files.h"
#include "core/text.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Far above any recipe; they stop an alias that holds itself, and aliases that multiply.
constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 100'000;

/// Where a text came from.
struct Source {
  std::string name;
  bool has_lines = true;
  fs::path base;

  /// `line` counts from 0, as yaml-cpp does; below 0 it is unknown.
  std::string place(int line) const {
    return has_lines && line >= 0 ? concat(name, ", line ", line + 1) : name;
  }
};

class TreeBuilder {
 public:
  explicit TreeBuilder(const Source& source) : source_(source) {}

  YamlNode build(const YAML::Node& from, int depth) {
    YamlNode to;
    to.place = source_.place(from.Mark().line);
    to.base = source_.base;
    if (depth > kMaxDepth || ++count_ > kMaxNodes)
      fail("recipe", "expected at most ", kMaxDepth, " levels and ", kMaxNodes, " values, got more (",
           to.place, ")");
    if (from.IsScalar()) {
      read_scalar(from, to);
    } else if (from.IsSequence()) {
      to.kind = YamlNode::Kind::list;
      for (const auto& item : from)
        to.values.push_back(build(item, depth + 1));
    } else if (from.IsMap()) {
      to.kind = YamlNode::Kind::map;
      for (const auto& entry : from)
        add_entry(entry.first, entry.second, depth, to);
    }
    return to;
  }

 private:
  static void read_scalar(const YAML::Node& from, YamlNode& to) {
    const std::string& tag = from.Tag();
    const bool explicit_tag = !tag.empty() && tag != "?" && tag != "!";
    if (explicit_tag)
      fail("recipe", "expected a value without a tag, got the tag ", one_line(tag), " (", to.place, ")");
    to.kind = YamlNode::Kind::scalar;
    to.text = from.Scalar();
    to.quoted = tag == "!";
  }

  void add_entry(const YAML::Node& key, const YAML::Node& value, int depth, YamlNode& to) {
    const std::string place = source_.place(key.Mark().line);
    if (!key.IsScalar()) fail("recipe", "expected a key that is plain text, got another kind (", place, ")");
    const std::string& name = key.Scalar();
    if (const YamlNode* first = to.find(name))
      fail("recipe", "expected each key once, got \"", one_line(name), "\" again (", place,
           "; first: ", first->place, ")");
    YamlNode child = build(value, depth + 1);
    child.place = place;  // the key's line is what a reader looks for, also when the value is an alias
    to.keys.push_back(name);
    to.values.push_back(std::move(child));
  }

  const Source& source_;
  int count_ = 0;
};

/// 0-based line of the first byte that no recipe holds (invalid UTF-8, control characters), or -1.
int line_of_bad_text(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 0; std::getline(lines, line); ++number) {
    // yaml-cpp takes some control characters for the end of the file and would silently drop what follows.
    const bool control = std::any_of(line.begin(), line.end(),
                                     [](unsigned char c) { return c < 0x20 && c != '\t' && c != '\r'; });
    if (control || !is_valid_utf8(line)) return number;
  }
  return -1;
}

/// 0-based line of the first tab used as indentation, or -1.
int line_of_tab(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 0; std::getline(lines, line); ++number)
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string::npos) return number;
  return -1;
}

YamlNode parse(const std::string& text, const Source& source) {
  const int bad = line_of_bad_text(text);
  if (bad >= 0) fail("recipe", "expected UTF-8 text, got other bytes (", source.place(bad), ")");
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    const int tab = line_of_tab(text);
    if (tab >= 0) fail("recipe", "expected spaces as indentation, got a tab (", source.place(tab), ")");
    fail("recipe", "expected YAML, got a syntax error: ", one_line(error.msg), " (",
         source.place(error.mark.line), ")");
  }
  if (documents.size() > 1)
    fail("recipe", "expected one document, got ", documents.size(), " separated by \"---\" (",
         source.place(documents[1].Mark().line), ")");
  YamlNode empty;
  empty.place = source.place(-1);
  empty.base = source.base;
  return documents.empty() ? empty : TreeBuilder(source).build(documents[0], 0);
}

std::vector<std::string> split_path(const std::string& key) {
  std::vector<std::string> parts;
  std::istringstream in(key);
  std::string part;
  while (std::getline(in, part, '.'))
    parts.push_back(part);
  return parts;
}

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

const YamlNode* YamlNode::find(std::string_view key) const {
  if (kind != Kind::map) return nullptr;
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &values[i];
  return nullptr;
}

std::string read_recipe_text(const fs::path& file) {
  const std::string name = one_line(file.string(), 1000);
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status))
    fail("recipe", "expected a recipe file, got a path that does not exist (", name, ")");
  if (fs::is_directory(status)) fail("recipe", "expected a recipe file, got a folder (", name, ")");
  return read_file(file);
}

YamlNode parse_recipe_text(const std::string& text, const fs::path& file) {
  const std::string name = one_line(file.string(), 1000);
  YamlNode root = parse(text, {name, true, fs::absolute(file).parent_path()});
  if (root.kind == YamlNode::Kind::null)
    fail("recipe", "expected a map of keys, got an empty file (", name, ")");
  if (root.kind != YamlNode::Kind::map) fail_at(root, "", "expected a map of keys, got ", describe(root));
  return root;
}

void apply_override(YamlNode& root, const std::string& argument) {
  const std::string shown = "--set " + one_line(argument);
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) fail("recipe", "expected KEY=VALUE, got \"", shown, "\"");
  const std::string key = argument.substr(0, equals);
  const std::vector<std::string> parts = split_path(key);
  const bool gap =
      key.back() == '.' || std::any_of(parts.begin(), parts.end(), [](auto& p) { return p.empty(); });
  if (gap)
    fail("recipe", "expected names separated by single dots, got \"", one_line(key), "\" (", shown, ")");
  YamlNode value = parse(argument.substr(equals + 1), {shown, false, fs::current_path()});
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
  for (const auto& part : split_path(key)) {
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

std::string one_line(const std::string& text, size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= limit && (c & 0xC0) != 0x80) return out + "...";  // never inside a UTF-8 sequence
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string at_place(const YamlNode& node, const std::string& key, const std::string& message) {
  const std::string end = key.empty() ? "" : ", key " + one_line(key, 1000);
  return concat(message, " (", node.place, end, ")");
}

}  // namespace qslaw
