#include "eval/predictions.h"

#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "core/one_line.h"

namespace qslaw {

PredictionsFile::PredictionsFile(const std::filesystem::path& folder, const std::string& benchmark)
    : path_(folder / (benchmark + ".jsonl")) {
  make_folder(folder);
}

void PredictionsFile::write(const nlohmann::json& line) {
  // Generated text may end within a character; the replacement sign stands for the cut bytes.
  lines_ += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void PredictionsFile::finish() {
  write_file_atomic(path_, lines_);
}

std::map<std::string, std::string> read_predictions(const std::filesystem::path& path) {
  std::istringstream in(read_file(path));
  std::map<std::string, std::string> texts;
  std::map<std::string, size_t> lines;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const auto object = parse_json(line, "eval", path.string(), number);
    const bool sound = object.is_object() && object.contains("id") && object.contains("text") &&
                       object["text"].is_string() &&
                       (object["id"].is_string() || object["id"].is_number_integer());
    if (!sound) {
      fail("eval", "expected {\"id\": text or whole number, \"text\": text}, got ", one_line(object.dump()),
           " (", path.string(), ", line ", number, ")");
    }
    const std::string id = object["id"].is_string() ? object["id"].get<std::string>() : object["id"].dump();
    const auto [first, is_new] = lines.emplace(id, number);
    require(is_new, "eval", "expected each id once, got ", id, " in line ", first->second, " and line ",
            number, " (", path.string(), ")");
    texts[id] = object["text"].get<std::string>();
  }
  return texts;
}

void fail_unanswered(const std::filesystem::path& path, const std::map<std::string, std::string>& texts,
                     const std::string& question_id) {
  const std::string others = texts.empty() ? "" : concat(" of them, but id ", one_line(texts.begin()->first));
  fail("eval", "expected answers to the benchmark's questions (id ", one_line(question_id),
       " and others), got none", others, " (", path.string(), ")");
}

}  // namespace qslaw
