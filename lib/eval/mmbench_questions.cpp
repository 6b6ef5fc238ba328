// MMBench: mmbench_dev_20230712.tsv and its like. Pictures are base64 in the file, or the index of another
// row that has them. Indexes that are equal but for multiples of a million are one question with its choices
// rotated. The server takes an Excel file.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "eval/answer_text.h"
#include "eval/question_files.h"
#include "eval/question_kinds.h"
#include "eval/server_files.h"
#include "eval/tab_separated.h"

namespace qslaw {
namespace {

constexpr int64_t kRotation = 1000000;
constexpr size_t kLongestReference = 64;  // characters; a picture has more
constexpr size_t kMostChoices = 4;
constexpr const char* kPrediction = "prediction";  // the server's column for answers

// Empty are the cells that pandas.read_table takes for missing, and LLaVA's "nan" and "none" in any case.
std::string filled(const std::string& cell) {
  static const std::set<std::string> missing = {"#N/A", "#N/A N/A", "#NA",    "-1.#IND", "-1.#QNAN",
                                                "-NaN", "-nan",     "1.#IND", "1.#QNAN", "<NA>",
                                                "N/A",  "NA",       "NULL",   "n/a",     "null"};
  const std::string lower = lower_case(cell);
  return missing.count(cell) > 0 || lower == "nan" || lower == "none" ? "" : cell;
}

std::string optional_cell(const TabSeparated& table, size_t row, const std::string& column) {
  return table.has(column) ? filled(table.cell(row, column)) : "";
}

int64_t read_index(const TabSeparated& table, size_t row) {
  const std::string& text = table.cell(row, "index");
  const bool is_number =
      !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == text.npos;
  require(is_number, table.where(row), "expected a whole number as index, got \"", text, "\"");
  return std::stoll(text);
}

std::vector<std::string> read_choices(const TabSeparated& table, size_t row) {
  std::vector<std::string> choices;
  for (size_t i = 0; i < kMostChoices; ++i) {
    const std::string choice = optional_cell(table, row, choice_letter(i));
    if (choice.empty()) break;
    choices.push_back(choice);
  }
  require(choices.size() >= 2, table.where(row), "expected at least two choices in A to D, got ",
          choices.size());
  return choices;
}

void read_answer(const TabSeparated& table, size_t row, BenchmarkQuestion& question) {
  const std::string answer = optional_cell(table, row, "answer");
  if (answer.empty()) return;  // of the test split
  const bool is_choice =
      answer.size() == 1 && answer[0] >= 'A' && answer[0] < static_cast<char>('A' + question.choices.size());
  require(is_choice, table.where(row), "expected the letter of a choice as answer, got \"", answer, "\"");
  question.answers = {answer};
}

std::string asked_text(const BenchmarkQuestion& question, const std::string& hint,
                       const std::string& suffix) {
  std::string text = hint.empty() ? question.question : hint + "\n" + question.question;
  for (size_t i = 0; i < question.choices.size(); ++i)
    text += "\n" + choice_letter(i) + ". " + question.choices[i];
  return with_suffix(text, suffix);
}

BenchmarkQuestion read_row(const TabSeparated& table, size_t row, const BenchmarkOptions& options) {
  BenchmarkQuestion question;
  const int64_t index = read_index(table, row);
  question.id = std::to_string(index);
  question.unit = std::to_string(index % kRotation);
  question.question = table.cell(row, "question");
  question.choices = read_choices(table, row);
  read_answer(table, row, question);
  question.text = asked_text(question, optional_cell(table, row, "hint"), options.prompt_suffix);
  for (const char* column : {"l2-category", "category"}) {
    const std::string group = optional_cell(table, row, column);
    if (!group.empty()) question.groups.push_back(group);
  }
  question.split = optional_cell(table, row, "split");
  question.file = options.path;
  return question;
}

using Pictures = std::map<std::string, std::shared_ptr<const std::string>>;

Pictures read_pictures(const TabSeparated& table) {
  Pictures pictures;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string& cell = table.cell(row, "image");
    if (cell.size() > kLongestReference)
      pictures[std::to_string(read_index(table, row))] = std::make_shared<const std::string>(cell);
  }
  return pictures;
}

std::shared_ptr<const std::string> picture_of(const TabSeparated& table, size_t row,
                                              const Pictures& pictures) {
  const std::string& cell = table.cell(row, "image");
  const auto found = pictures.find(cell.size() > kLongestReference ? table.cell(row, "index") : cell);
  require(found != pictures.end(), table.where(row),
          "expected a picture in base64 or the index of a row that has one as image, got \"", cell, "\"");
  return found->second;
}

bool is_in_split(const TabSeparated& table, size_t row, const std::string& split) {
  return split.empty() || table.cell(row, "split") == split;
}

// As LLaVA's convert_mmbench_for_submission.py: all but these, the answers in the seventh place.
std::vector<std::string> server_columns(const TabSeparated& table) {
  static const std::set<std::string> dropped = {"hint",  "category", "source",
                                                "image", "comment",  "l2-category"};
  std::vector<std::string> columns;
  for (const std::string& column : table.columns()) {
    if (dropped.count(column) == 0) columns.push_back(column);
  }
  constexpr size_t kPlace = 6;
  columns.insert(columns.begin() + static_cast<ptrdiff_t>(std::min(kPlace, columns.size())), kPrediction);
  return columns;
}

}  // namespace

std::vector<BenchmarkQuestion> read_mmbench(const BenchmarkOptions& options) {
  const TabSeparated table(options.path);
  const Pictures pictures = read_pictures(table);
  std::vector<BenchmarkQuestion> questions;
  for (size_t row = 0; row < table.rows(); ++row) {
    if (!is_in_split(table, row, options.split)) continue;
    questions.push_back(read_row(table, row, options));
    questions.back().picture_base64 = picture_of(table, row, pictures);
  }
  require(!questions.empty() || options.split.empty() || table.rows() == 0, "eval", "expected a split of ",
          options.path.string(), ", such as ",
          table.rows() > 0 && table.has("split") ? table.cell(0, "split") : "", ", got \"", options.split,
          "\"");
  return questions;
}

std::string mmbench_server_file(const std::vector<JudgedQuestion>& judged, const BenchmarkOptions& options) {
  const TabSeparated table(options.path);
  std::map<std::string, const std::string*> answers;
  for (const JudgedQuestion& one : judged)
    answers[one.question->id] = &one.text;
  const std::vector<std::string> columns = server_columns(table);
  std::vector<std::vector<std::string>> rows = {columns};
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto answer = answers.find(std::to_string(read_index(table, row)));
    if (answer == answers.end()) continue;
    std::vector<std::string> cells;
    for (const std::string& column : columns)
      cells.push_back(column == kPrediction ? *answer->second : filled(table.cell(row, column)));
    rows.push_back(cells);
  }
  return excel_file(rows);
}

}  // namespace qslaw
