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
  lines_ += dump_lenient(line) + "\n";
}

void PredictionsFile::finish() {
  write_file_atomic(path_, lines_);
}

namespace {

// LLaVA's answer files name it question_id.
const nlohmann::json& id_of(const nlohmann::json& object) {
  static const nlohmann::json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.contains("id") ? object.find("id") : object.find("question_id");
  return found == object.end() ? kNone : *found;
}

}  // namespace

std::map<std::string, std::string> read_predictions(const std::filesystem::path& path) {
  std::istringstream in(read_file(path));
  std::map<std::string, std::string> texts;
  std::map<std::string, size_t> lines;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const auto object = parse_json(line, "eval", path.string(), number);
    const nlohmann::json& name = id_of(object);
    const bool sound = (name.is_string() || name.is_number_integer()) && object.contains("text") &&
                       object["text"].is_string();
    if (!sound) {
      fail("eval", "expected {\"id\" or \"question_id\": text or whole number, \"text\": text}, got ",
           one_line(object.dump()), " (", path.string(), ", line ", number, ")");
    }
    const std::string id = name.is_string() ? name.get<std::string>() : name.dump();
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
