#include "eval/question_files.h"

#include <algorithm>

#include "core/error.h"
#include "core/json_text.h"
#include "data/text_file.h"

namespace fs = std::filesystem;

namespace qslaw {

using nlohmann::json;

JsonEntry::JsonEntry(const json& object, std::string where) : object_(object), where_(std::move(where)) {
  require(object.is_object(), where_, "expected an object, got ", object.type_name());
}

const json& JsonEntry::value(const char* key) const {
  const auto found = object_.find(key);
  require(found != object_.end(), where_, "expected the key ", key, ", got none");
  return *found;
}

std::string JsonEntry::text(const char* key) const {
  const json& found = value(key);
  require(found.is_string(), where_, "expected a text as ", key, ", got ", found.type_name());
  return found.get<std::string>();
}

std::string JsonEntry::name(const char* key) const {
  const json& found = value(key);
  require(found.is_string() || found.is_number_integer(), where_, "expected a text or whole number as ", key,
          ", got ", found.type_name());
  return found.is_string() ? found.get<std::string>() : found.dump();
}

const json& JsonEntry::list(const char* key) const {
  const json& found = value(key);
  require(found.is_array(), where_, "expected a list as ", key, ", got ", found.type_name());
  return found;
}

JsonEntry JsonEntry::below(const char* key) const {
  return {value(key), concat(where_, ", ", key)};
}

json read_json_file(const fs::path& file) {
  return parse_json(read_utf8(file), "eval", file.string());
}

json read_json_list(const fs::path& file, const std::string& key,
                    const std::function<void(const json&)>& visit) {
  using Event = json::parse_event_t;
  bool is_key = false, is_inside = false;
  const auto keep = [&](int depth, Event event, json& value) {
    if (depth == 1) {  // below the object
      if (event == Event::key) is_key = value == key;
      if (event == Event::array_start) is_inside = is_key;
      if (event == Event::array_end) is_inside = false;
    }
    const bool is_whole = event == Event::object_end || event == Event::array_end || event == Event::value;
    const bool is_entry = depth == 2 && is_inside && is_whole;
    if (is_entry) visit(value);
    return !is_entry;
  };
  return parse_json(read_utf8(file), "eval", file.string(), 1, keep);
}

std::vector<JsonLine> read_json_lines(const fs::path& file) {
  const std::string text = read_utf8(file);
  std::vector<JsonLine> lines;
  size_t number = 1;
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1, ++number) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    lines.push_back(
        {parse_json(line, "eval", file.string(), number), concat(file.string(), ", line ", number)});
  }
  require(!lines.empty(), "eval", "expected questions in ", file.string(), ", got none");
  return lines;
}

std::vector<LlavaQuestion> read_llava_questions(const fs::path& file) {
  std::vector<LlavaQuestion> questions;
  for (const JsonLine& line : read_json_lines(file)) {
    const JsonEntry entry(line.value, line.where);
    questions.push_back({entry.name("question_id"), entry.text("image"), entry.text("text"),
                         entry.has("category") ? entry.text("category") : "", line.where});
  }
  return questions;
}

void ask_as(const LlavaQuestion& asked, const BenchmarkOptions& options, BenchmarkQuestion& question) {
  question.text = with_suffix(asked.text, options.prompt_suffix);
  question.picture = options.images / asked.image;
  question.file = options.path;
}

bool is_llava_file(const fs::path& file) {
  return file.extension() == ".jsonl";
}

std::string with_suffix(const std::string& text, const std::string& suffix) {
  return text.ends_with(suffix) ? text : text + suffix;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

void UniqueIds::add(const std::string& id, const std::string& where) {
  require(seen_.insert(id).second, where, "expected an id of its own, got ", id, " again");
}

}  // namespace qslaw
