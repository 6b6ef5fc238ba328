#include "data/scienceqa.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/json_text.h"
#include "core/key_error.h"
#include "core/whitespace.h"
#include "data/text_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

constexpr std::string_view kLetters = "ABCDE";
// Those of the benchmark's table: a problem of another would count in none of its columns, without a word.
const std::vector<std::string> kSubjects = {"natural science", "social science", "language science"};
const std::vector<std::string> kGrades = {"grade1", "grade2", "grade3", "grade4",  "grade5",  "grade6",
                                          "grade7", "grade8", "grade9", "grade10", "grade11", "grade12"};

// Python's text.replace(from, to): one pass, matches do not overlap.
std::string replace_all(const std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  size_t begin = 0;
  for (size_t at; (at = text.find(from, begin)) != text.npos; begin = at + from.size()) {
    out.append(text, begin, at - begin).append(to);
  }
  return out.append(text, begin);
}

std::string tidy(const std::string& text) {
  return std::string(strip(replace_all(text, "  ", " ")));
}

// The published conversion writes newlines as "\n" and back, which turns a literal backslash-n into a newline
// too.
std::string unescape_newlines(const std::string& text) {
  return replace_all(text, "\\n", "\n");
}

struct Format {
  bool context_first;
  bool explains;  // lecture and solution before the answer
};

Format parse_format(const std::string& name) {
  if (name == "QCM-LEA") return {.context_first = false, .explains = true};
  if (name == "CQM-A") return {.context_first = true, .explains = false};
  fail("scienceqa", "expected QCM-LEA or CQM-A as prompt_format, got \"", name, "\"");
}

// Reads one problem; messages name the file, the problem and the key.
class ProblemReader {
 public:
  ProblemReader(const json& problem, std::string where) : problem_(problem), where_(std::move(where)) {
    require(problem.is_object(), where_, "expected an object, got ", problem.type_name());
  }

  const json& required(const char* key) const {
    require(problem_.contains(key), where_, "expected the key ", key, ", got none");
    return problem_[key];
  }

  std::string text(const char* key, const json& value) const {
    require(value.is_string(), where_, "expected a text as ", key, ", got ", value.type_name());
    return value.get<std::string>();
  }
  std::string text(const char* key) const { return text(key, required(key)); }
  std::string optional_text(const char* key) const {
    const bool absent = !problem_.contains(key) || problem_[key].is_null();
    return absent ? "" : text(key, problem_[key]);
  }

  std::string optional_name(const char* key, const std::vector<std::string>& known) const {
    const std::string name = optional_text(key);
    const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
    require(name.empty() || is_known, where_, "expected ", join_or(known), " as ", key, ", got \"", name,
            "\"");
    return name;
  }

  std::vector<std::string> choices() const {
    const json& list = required("choices");
    require(list.is_array() && !list.empty() && list.size() <= kLetters.size(), where_, "expected 1 to ",
            kLetters.size(), " choices, got ",
            list.is_array() ? std::to_string(list.size()) : list.type_name());
    std::vector<std::string> out;
    for (const json& choice : list)
      out.push_back(text("choices", choice));
    return out;
  }

  int64_t answer(size_t choices) const {
    const json& value = required("answer");
    require(value.is_number_integer(), where_, "expected a whole number as answer, got ", value.type_name());
    const auto index = value.get<int64_t>();
    require(index >= 0 && index < static_cast<int64_t>(choices), where_, "expected an answer from 0 to ",
            choices - 1, ", got ", index);
    return index;
  }

 private:
  const json& problem_;
  std::string where_;
};

// Published folders hold images/<id>/<name>; a folder shared by problems holds the names themselves.
fs::path picture_path(const fs::path& images, const std::string& id, const std::string& name) {
  const fs::path own = images / id / name, shared = images / name;
  std::error_code told_later;  // where the picture is read
  return !fs::exists(own, told_later) && fs::exists(shared, told_later) ? shared : own;
}

ScienceQaProblem read_problem(const std::string& id, const json& value, const std::string& where,
                              const fs::path& images) {
  const ProblemReader reader(value, where);
  ScienceQaProblem problem;
  problem.id = id;
  problem.question = reader.text("question");
  problem.choices = reader.choices();
  problem.answer = reader.answer(problem.choices.size());
  problem.hint = reader.optional_text("hint");
  problem.lecture = reader.optional_text("lecture");
  problem.solution = reader.optional_text("solution");
  const std::string picture = reader.optional_text("image");
  if (!picture.empty()) problem.picture = picture_path(images, id, picture);
  problem.subject = reader.optional_name("subject", kSubjects);
  problem.grade = reader.optional_name("grade", kGrades);
  problem.topic = reader.optional_text("topic");
  problem.category = reader.optional_text("category");
  problem.skill = reader.optional_text("skill");
  return problem;
}

json read_object(const fs::path& file) {
  json value = parse_json(read_utf8(file), "data", file.string());
  require(value.is_object(), "scienceqa", "expected an object in ", file.string(), ", got ",
          value.type_name());
  return value;
}

// A problem asked twice would count twice.
std::vector<std::string> read_ids(const json& list, const std::string& split, const fs::path& file) {
  require(list.is_array(), "scienceqa", "expected a list of problem ids as split ", split, " of ",
          file.string(), ", got ", list.type_name());
  std::vector<std::string> ids;
  std::map<std::string, size_t> entries;
  for (const json& entry : list) {
    require(entry.is_string() || entry.is_number_integer(), "scienceqa", "expected problem ids in ",
            file.string(), ", got ", entry.type_name());
    ids.push_back(entry.is_string() ? entry.get<std::string>() : entry.dump());
    const auto [first, is_new] = entries.emplace(ids.back(), ids.size());
    require(is_new, "scienceqa", "expected each problem once in the split ", split, " of ", file.string(),
            ", got ", ids.back(), " as entry ", first->second, " and ", ids.size());
  }
  return ids;
}

}  // namespace

std::vector<ScienceQaProblem> read_scienceqa(const fs::path& problems, const fs::path& splits,
                                             const std::string& split, const fs::path& images) {
  const json all = read_object(problems);
  const json lists = read_object(splits);
  if (!lists.contains(split)) {
    std::vector<std::string> names;
    for (const auto& item : lists.items())
      names.push_back(item.key());
    fail("scienceqa", "expected one of ", join(names), " as split (a key of ", splits.string(), "), got \"",
         split, "\"");
  }
  std::vector<ScienceQaProblem> out;
  for (const std::string& id : read_ids(lists[split], split, splits)) {
    const auto found = all.find(id);
    require(found != all.end(), "scienceqa", "expected problem ", id, " of ", splits.string(), " in ",
            problems.string(), ", got none");
    out.push_back(read_problem(id, *found, concat(problems.string(), ", problem ", id), images));
  }
  return out;
}

std::string scienceqa_letter(int64_t index) {
  QSLAW_CHECK(index >= 0 && index < static_cast<int64_t>(kLetters.size()));
  return std::string(1, kLetters[static_cast<size_t>(index)]);
}

std::string scienceqa_question(const ScienceQaProblem& problem, const std::string& format) {
  const std::string hint(strip(problem.hint + " "));
  const std::string context = "Context: " + (hint.empty() ? "N/A" : hint) + "\n";
  const std::string question = "Question: " + problem.question + "\n";
  std::vector<std::string> options;
  for (size_t i = 0; i < problem.choices.size(); ++i) {
    options.push_back("(" + scienceqa_letter(static_cast<int64_t>(i)) + ") " + problem.choices[i]);
  }
  const bool context_first = parse_format(format).context_first;
  const std::string text = tidy((context_first ? context + question : question + context) +
                                "Options: " + join(options, " ") + "\n");
  return text.starts_with("Question: ") ? replace_all(text, "Question: ", "") : text;
}

std::string scienceqa_answer(const ScienceQaProblem& problem, const std::string& format) {
  std::string text = "Answer: ";
  if (parse_format(format).explains) {
    text += unescape_newlines(problem.lecture) + " " + unescape_newlines(problem.solution) + " ";
  }
  text = tidy(text + "The answer is " + scienceqa_letter(problem.answer) + ".");
  return text.starts_with("Answer: ") ? replace_all(text, "Answer: ", "") : text;
}

}  // namespace qslaw
