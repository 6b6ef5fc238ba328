#include "io/json.h"

#include "core/files.h"
#include "core/json_text.h"

namespace qslaw {

nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), "json", path.string());
}

void write_json(const std::filesystem::path& path, const nlohmann::json& value) {
  write_file_atomic(path, value.dump(2) + "\n");
}

}  // namespace qslaw
