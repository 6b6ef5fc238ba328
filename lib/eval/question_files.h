// What the readers of published question files share: JSON entries and lines, LLaVA's question files,
// instructions behind a question.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "eval/benchmark_question.h"
#include "eval/options.h"

namespace qslaw {

/// An object of a JSON file; messages begin with `where`. The object is not owned.
class JsonEntry {
 public:
  /// UserError unless `object` is one.
  JsonEntry(const nlohmann::json& object, std::string where);

  const std::string& where() const { return where_; }
  bool has(const char* key) const { return object_.contains(key); }
  /// UserError where the key is missing, or its value is not a text, a text or whole number (given as text),
  /// or a list.
  std::string text(const char* key) const;
  std::string name(const char* key) const;
  const nlohmann::json& list(const char* key) const;
  /// The object below a key.
  JsonEntry below(const char* key) const;

 private:
  const nlohmann::json& value(const char* key) const;
  const nlohmann::json& object_;
  std::string where_;
};

/// A whole JSON file.
nlohmann::json read_json_file(const std::filesystem::path& file);

/// The list under `key` of a file's object, entry by entry: each is forgotten behind `visit`, so that a file
/// of millions is in memory as text alone. Gives the object with the list empty. A fault behind an entry is
/// told after `visit` has seen it.
nlohmann::json read_json_list(const std::filesystem::path& file, const std::string& key,
                              const std::function<void(const nlohmann::json&)>& visit);

struct JsonLine {
  nlohmann::json value;
  std::string where;  // "file, line 3"
};
/// The lines of a JSONL file that are not blank. UserError where there is none.
std::vector<JsonLine> read_json_lines(const std::filesystem::path& file);

/// A line of one of LLaVA's question files (llava_*.jsonl): question_id, image, text, category.
struct LlavaQuestion {
  std::string id;
  std::string image;     // relative to the images
  std::string text;      // with the instruction
  std::string category;  // empty where there is none
  std::string where;
};
std::vector<LlavaQuestion> read_llava_questions(const std::filesystem::path& file);

/// Asks `question` as a line of LLaVA's file does: its text, picture and file become that line's.
void ask_as(const LlavaQuestion& asked, const BenchmarkOptions& options, BenchmarkQuestion& question);

/// True for LLaVA's question files, which end in .jsonl; no benchmark's own does.
bool is_llava_file(const std::filesystem::path& file);

/// `text` with `suffix` behind it, unless it ends so already.
std::string with_suffix(const std::string& text, const std::string& suffix);

/// The text's first line.
std::string first_line(const std::string& text);

/// Refuses an id that it has seen.
class UniqueIds {
 public:
  void add(const std::string& id, const std::string& where);

 private:
  std::set<std::string> seen_;
};

}  // namespace qslaw
