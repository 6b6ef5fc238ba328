// POPE: coco_pope_<category>.json, which hold a JSON object per line, or their folder; or LLaVA's
// llava_pope_test.jsonl with that folder as annotations.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr std::string_view kName = "_pope_";

std::vector<fs::path> category_files(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.find(kName) != name.npos && entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  require(!files.empty(), "eval", "expected coco_pope_<category>.json in ", path.string(), ", got none");
  return files;
}

std::string category_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  const size_t at = stem.find(kName);
  require(at != stem.npos, "eval", "expected a name like coco_pope_random.json, got ", file.string());
  return stem.substr(at + kName.size());
}

std::vector<BenchmarkQuestion> read_category(const fs::path& file, const BenchmarkOptions& options) {
  const std::string category = category_of(file);
  std::vector<BenchmarkQuestion> questions;
  for (const JsonLine& line : read_json_lines(file)) {
    const JsonEntry entry(line.value, line.where);
    BenchmarkQuestion question;
    question.id = category + "/" + entry.name("question_id");
    question.question = entry.text("text");
    question.text = with_suffix(question.question, options.prompt_suffix);
    question.picture = options.images / entry.text("image");
    question.answers = {entry.text("label")};
    require(question.answers[0] == "yes" || question.answers[0] == "no", line.where,
            "expected yes or no as label, got \"", question.answers[0], "\"");
    question.groups = {category};
    question.file = file;
    questions.push_back(question);
  }
  return questions;
}

// LLaVA's file has the questions of each category in the order of that category's own file.
BenchmarkQuestion next_label(const LlavaQuestion& asked, const BenchmarkOptions& options, size_t& place,
                             const std::map<std::string, std::vector<BenchmarkQuestion>>& labels) {
  const auto found = labels.find(asked.category);
  require(found != labels.end(), asked.where, "expected a category with a file in ",
          options.annotations.string(), ", got \"", asked.category, "\"");
  require(place < found->second.size(), asked.where, "expected ", found->second.size(), " questions of ",
          asked.category, " as in ", options.annotations.string(), ", got more");
  BenchmarkQuestion question = found->second[place++];
  const bool same =
      question.picture == options.images / asked.image && question.question == first_line(asked.text);
  require(same, asked.where, "expected \"", question.question, "\" of ", question.picture.filename().string(),
          " as ", question.file.string(), " has at that place, got \"", first_line(asked.text), "\" of ",
          asked.image);
  return question;
}

}  // namespace

std::vector<BenchmarkQuestion> read_pope(const BenchmarkOptions& options) {
  const bool from_llava = is_llava_file(options.path);
  std::map<std::string, std::vector<BenchmarkQuestion>> categories;
  std::vector<BenchmarkQuestion> all;
  for (const fs::path& file : category_files(from_llava ? options.annotations : options.path)) {
    const auto questions = read_category(file, options);
    all.insert(all.end(), questions.begin(), questions.end());
    categories[category_of(file)] = questions;
  }
  if (!from_llava) return all;
  std::vector<BenchmarkQuestion> questions;
  std::map<std::string, size_t> places;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    questions.push_back(next_label(asked, options, places[asked.category], categories));
    questions.back().id = asked.id;  // one of its own in all categories, by which LLaVA's answers go
    questions.back().text = with_suffix(asked.text, options.prompt_suffix);
    questions.back().file = options.path;
  }
  return questions;
}

}  // namespace qslaw
