#include "recipe/yaml_parse.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

#include "core/files.h"
#include "core/text.h"
#include "recipe/open_quote.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// Far above any recipe; they stop an alias that holds itself, and aliases that multiply.
constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 100'000;

class TreeBuilder {
 public:
  explicit TreeBuilder(const YamlSource& source) : source_(source) {}

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

  const YamlSource& source_;
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

struct YamlFault {
  std::string_view said;  // by yaml-cpp, perhaps with more behind it
  const char* fault;
};

constexpr const char* kOpenQuotes = "a text whose quotes are not closed";

constexpr YamlFault kFaults[] = {
    {"end of map flow", "a \"{\" without its \"}\", or an item without a comma behind it"},
    {"end of sequence flow", "a \"[\" without its \"]\", or an item without a comma behind it"},
    {"end of map", "a line that does not go on with the keys above it (is the indentation right?)"},
    {"end of sequence", "a line that does not go on with the list above it (is the indentation right?)"},
    {"illegal map value",
     "a \":\" that cannot stand there (a missing one above, wrong indentation, or a text that needs quotes)"},
    {"illegal map key", "a key where none can stand"},
    {"illegal block entry", "a \"-\" where no list can begin"},
    {"illegal flow end", "a \"]\" or \"}\" that was not opened"},
    {"illegal EOF in scalar", kOpenQuotes},
    {"illegal document indicator", kOpenQuotes},
    {"unknown escape character", "an unknown escape behind \"\\\" (paths need single quotes or none)"},
    {"the referenced anchor is not defined", "an alias (*) of an anchor (&) that is not there"},
    {"alias not found", "a \"*\" without a name behind it (a text that begins so needs quotes)"},
    {"anchor not found", "a \"&\" without a name behind it (a text that begins so needs quotes)"},
};

// What is wrong, in the words of a recipe's writer: yaml-cpp's are its parser's.
std::string fault_of(const std::string& said) {
  for (const YamlFault& known : kFaults) {
    if (said.starts_with(known.said)) return known.fault;
  }
  return "a character or sign that cannot stand";
}

[[noreturn]] void fail_yaml(const std::string& fault, TextPlace at, const YamlSource& source) {
  fail("recipe", "expected YAML, got ", fault, " in column ", at.column + 1, " (", source.place(at.line),
       ")");
}

[[noreturn]] void fail_yaml(const YAML::Exception& error, const std::string& text, const YamlSource& source) {
  const int tab = line_of_tab(text);
  if (tab >= 0) fail("recipe", "expected spaces as indentation, got a tab (", source.place(tab), ")");
  const auto quote = find_open_quote(text);
  // `"C:\data\"` is not closed either; that it needs other quotes says more.
  const bool is_escape = error.msg.starts_with("unknown escape");
  if (quote && !is_escape && quote->line <= error.mark.line) fail_yaml(kOpenQuotes, *quote, source);
  fail_yaml(fault_of(error.msg), {error.mark.line, error.mark.column}, source);
}

std::vector<YAML::Node> load_documents(const std::string& text, const YamlSource& source) {
  try {
    // yaml-cpp takes quotes for closed where the last line ends, unless there is no line end.
    if (find_open_quote(text)) YAML::LoadAll(text.substr(0, text.find_last_not_of(" \t\r\n") + 1));
    return YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    fail_yaml(error, text, source);
  }
}

// Where relative paths begin: a pipe (`/dev/stdin`, a shell's `/dev/fd/63`, a named one) is no place of
// files.
fs::path folder_of(const fs::path& file) {
  const fs::path whole = fs::absolute(file);
  const std::string name = whole.lexically_normal().string();
  std::error_code ignored;
  const bool is_pipe = name.starts_with("/dev/") || name.starts_with("/proc/") || fs::is_fifo(whole, ignored);
  return is_pipe ? fs::current_path() : whole.parent_path();
}

}  // namespace

YamlNode parse_yaml(const std::string& text, const YamlSource& source) {
  const int bad = line_of_bad_text(text);
  if (bad >= 0) fail("recipe", "expected UTF-8 text, got other bytes (", source.place(bad), ")");
  const std::vector<YAML::Node> documents = load_documents(text, source);
  if (documents.size() > 1)
    fail("recipe", "expected one document, got ", documents.size(), " separated by \"---\" (",
         source.place(documents[1].Mark().line), ")");
  YamlNode empty;
  empty.place = source.place(-1);
  empty.base = source.base;
  return documents.empty() ? empty : TreeBuilder(source).build(documents[0], 0);
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
  YamlNode root = parse_yaml(text, {name, true, folder_of(file)});
  if (root.kind == YamlNode::Kind::null)
    fail("recipe", "expected a map of keys, got an empty file (", name, ")");
  if (root.kind != YamlNode::Kind::map) fail_at(root, "", "expected a map of keys, got ", describe(root));
  return root;
}

}  // namespace qslaw
