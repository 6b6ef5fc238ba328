// MME: the folder MME_Benchmark_release_version with a folder per subtask, in which each picture has a text
// file of two lines, question and answer with a tab between; in some subtasks they lie in images/ and
// questions_answers_YN/. Later zips hold the subtasks in its folder MME_Benchmark. Or LLaVA's llava_mme.jsonl
// with that folder as annotations.
#include <algorithm>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/whitespace.h"
#include "data/text_file.h"
#include "eval/answer_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr size_t kQuestionsPerPicture = 2;

const std::vector<std::string>& subtasks() {
  static const std::vector<std::string> names = {"existence",
                                                 "count",
                                                 "position",
                                                 "color",
                                                 "posters",
                                                 "celebrity",
                                                 "scene",
                                                 "landmark",
                                                 "artwork",
                                                 "OCR",
                                                 "commonsense_reasoning",
                                                 "numerical_calculation",
                                                 "text_translation",
                                                 "code_reasoning"};
  return names;
}

fs::path subtasks_folder(const fs::path& folder) {
  const fs::path below = folder / "MME_Benchmark";
  return fs::is_directory(below) ? below : folder;
}

// Without the request to answer yes or no, in whose place LLaVA's instruction stands.
std::string bare_question(const std::string& text, const std::string& suffix) {
  std::string bare = replace_all(text, "Please answer yes or no.", "");
  const std::string instruction(strip(suffix));
  if (!instruction.empty()) bare = replace_all(bare, instruction, "");
  return std::string(strip(bare));
}

fs::path picture_of(const fs::path& folder, const std::string& stem) {
  for (const char* ending : {".png", ".jpg", ".jpeg"}) {
    const fs::path picture = folder / (stem + ending);
    if (fs::exists(picture)) return picture;
  }
  return folder / (stem + ".jpg");  // missing: told where it is read
}

void read_picture(const fs::path& file, const fs::path& pictures, const std::string& subtask,
                  const BenchmarkOptions& options, std::vector<BenchmarkQuestion>& out) {
  std::istringstream in(read_utf8(file));
  size_t number = 0, line_number = 0;
  for (std::string line; std::getline(in, line);) {
    ++line_number;
    if (strip(line).empty()) continue;
    ++number;
    const std::string where = concat(file.string(), ", line ", line_number);
    const size_t tab = line.find('\t');
    require(tab != line.npos, where, "expected question, tab and answer, got no tab");
    BenchmarkQuestion question;
    question.unit = subtask + "/" + file.stem().string();
    question.id = concat(question.unit, "/", number);
    question.question = std::string(strip(line.substr(0, tab)));
    question.text =
        with_suffix(bare_question(question.question, options.prompt_suffix), options.prompt_suffix);
    question.answers = {lower_case(std::string(strip(line.substr(tab + 1))))};
    require(question.answers[0] == "yes" || question.answers[0] == "no", where,
            "expected yes or no as answer, got \"", question.answers[0], "\"");
    question.groups = {subtask};
    question.picture = picture_of(pictures, file.stem().string());
    question.file = file;
    out.push_back(question);
  }
  require(number == kQuestionsPerPicture, file.string(), "expected two questions, got ", number);
}

std::vector<BenchmarkQuestion> read_folder(const fs::path& folder_of_all, const BenchmarkOptions& options) {
  std::vector<BenchmarkQuestion> questions;
  const fs::path root = subtasks_folder(folder_of_all);
  const fs::path root_of_pictures = options.images.empty() ? root : subtasks_folder(options.images);
  for (const std::string& subtask : subtasks()) {
    const fs::path folder = root / subtask, apart = folder / "questions_answers_YN";
    const bool is_apart = fs::is_directory(apart);
    if (!fs::is_directory(folder)) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(is_apart ? apart : folder)) {
      if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    const fs::path pictures = root_of_pictures / subtask;
    for (const fs::path& file : files)
      read_picture(file, is_apart ? pictures / "images" : pictures, subtask, options, questions);
  }
  require(!questions.empty(), "eval", "expected folders of MME's subtasks in ", root.string(), ", got none");
  return questions;
}

}  // namespace

std::vector<BenchmarkQuestion> read_mme(const BenchmarkOptions& options) {
  if (!is_llava_file(options.path)) return read_folder(options.path, options);
  std::map<std::pair<std::string, std::string>, BenchmarkQuestion> annotations;
  for (const BenchmarkQuestion& question : read_folder(options.annotations, options))
    annotations[{question.unit, bare_question(question.question, options.prompt_suffix)}] = question;
  const fs::path pictures = subtasks_folder(options.images.empty() ? options.annotations : options.images);
  std::vector<BenchmarkQuestion> questions;
  for (const LlavaQuestion& asked : read_llava_questions(options.path)) {
    const fs::path id(asked.id);
    const std::string unit = concat(id.begin()->string(), "/", id.stem().string());
    const auto found = annotations.find({unit, bare_question(asked.text, options.prompt_suffix)});
    require(found != annotations.end(), asked.where, "expected this question of ", unit, " in ",
            options.annotations.string(), ", got none");
    BenchmarkQuestion question = found->second;
    question.text = with_suffix(asked.text, options.prompt_suffix);
    question.picture = pictures / asked.image;
    question.annotation = question.file;
    question.file = options.path;
    questions.push_back(question);
  }
  return questions;
}

}  // namespace qslaw
