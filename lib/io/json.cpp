#include "io/json.h"

#include "core/error.h"
#include "core/files.h"

namespace qslaw {

nlohmann::json read_json(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& problem) {
    fail("json", "expected valid JSON in ", path.string(), ", got an error at byte ", problem.byte);
  }
}

void write_json(const std::filesystem::path& path, const nlohmann::json& value) {
  write_file_atomic(path, value.dump(2) + "\n");
}

}  // namespace qslaw
