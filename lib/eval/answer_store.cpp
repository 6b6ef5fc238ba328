#include "eval/answer_store.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/one_line.h"
#include "core/write_failure.h"

namespace fs = std::filesystem;

namespace qslaw {

using nlohmann::json;

namespace {

// {"begin": number, "answers": [[number, text], ...]}
bool is_batch(const json& line) {
  const auto is_answer = [](const json& answer) {
    return answer.is_array() && answer.size() == 2 && answer[0].is_number_unsigned() && answer[1].is_string();
  };
  return line.is_object() && line.contains("begin") && line["begin"].is_number_unsigned() &&
         line.contains("answers") && line["answers"].is_array() &&
         std::all_of(line["answers"].begin(), line["answers"].end(), is_answer);
}

}  // namespace

AnswerStore::AnswerStore(const fs::path& folder, const std::string& benchmark) {
  if (folder.empty()) return;
  file_ = folder / (benchmark + ".jsonl");
  if (!fs::exists(file_)) return;
  const std::string text = read_file(file_);
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (line.is_discarded()) break;
    require(is_batch(line), "resume", "expected lines of begin and answers, got ", one_line(line.dump()),
            "; start over with --restart (", file_.string(), ")");
    Answers& answers = batches_[line["begin"].get<size_t>()];
    for (const json& answer : line["answers"])
      answers[answer[0].get<size_t>()] = answer[1].get<std::string>();
  }
  if (begin < text.size()) fs::resize_file(file_, begin);
}

const Answers* AnswerStore::find(size_t begin) const {
  const auto found = batches_.find(begin);
  return found == batches_.end() ? nullptr : &found->second;
}

void AnswerStore::add(size_t begin, const Answers& answers) {
  if (file_.empty()) return;
  make_folder(file_.parent_path());
  json line = {{"begin", begin}, {"answers", json::array()}};
  for (const auto& [number, text] : answers)
    line["answers"].push_back({number, text});
  std::ofstream out(file_, std::ios::app | std::ios::binary);
  out << line.dump() << "\n" << std::flush;
  const int reason = errno;
  require(out.good(), "eval", "expected to write answers to ", file_.string(), ", got ",
          write_failure(reason));
}

}  // namespace qslaw
