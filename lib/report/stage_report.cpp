#include "report/stage_report.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"

#ifndef QSLAW_VERSION
#define QSLAW_VERSION "unknown"
#endif
#ifndef QSLAW_GIT
#define QSLAW_GIT "unknown"
#endif

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

json memory_to_json(const MemoryByKind& memory) {
  return {{"weights", memory.weights},
          {"optimizer", memory.optimizer},
          {"gradients", memory.gradients},
          {"activations", memory.activations}};
}

json report_to_json(const StageReport& report) {
  return {{"stage", report.stage},
          {"name", report.name},
          {"status", report.status},
          {"version", report.version},
          {"git", report.git},
          {"device", report.device},
          {"fingerprint", report.fingerprint},
          {"seed", report.seed},
          {"seconds", report.seconds},
          {"tokens_per_second", report.tokens_per_second},
          {"peak_host_bytes", report.peak_host_bytes},
          {"peak_device_bytes", report.peak_device_bytes},
          {"memory", memory_to_json(report.memory)},
          {"results", report.results},
          {"files", report.files}};
}

// Reads the keys of one object; each error names the file and the key.
class KeyReader {
 public:
  KeyReader(const json& object, const fs::path& path, std::string prefix = "")
      : object_(object), path_(path), prefix_(std::move(prefix)) {
    require(object.is_object(), "report", "expected an object, got ", object.type_name(), where(""));
  }

  template <typename T>
  void required(const char* key, T& value) const {
    require(object_.contains(key), "report", "expected the key ", prefix_, key, ", got none", where(key));
    optional(key, value);
  }

  void optional(const char* key, std::string& value) const {
    if (const json* found = find(key))
      value = (check(found->is_string(), key, "text", *found), found->get<std::string>());
  }
  void optional(const char* key, double& value) const {
    if (const json* found = find(key))
      value = (check(found->is_number(), key, "a number", *found), found->get<double>());
  }
  void optional(const char* key, int64_t& value) const {
    if (const json* found = find(key)) value = (check_whole(*found, key), found->get<int64_t>());
  }
  void optional(const char* key, uint64_t& value) const {
    if (const json* found = find(key)) value = (check_whole(*found, key), found->get<uint64_t>());
  }
  void optional(const char* key, json& value) const {
    if (const json* found = find(key)) value = (check(found->is_object(), key, "an object", *found), *found);
  }

  /// Null counts as absent: it stands for a number that was not finite.
  const json* find(const char* key) const {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }
  void check(bool condition, const std::string& key, const char* expected, const json& got) const {
    require(condition, "report", "expected ", expected, ", got ", got.type_name(), where(key));
  }

 private:
  std::string where(const std::string& key) const {
    return concat(" (", path_.string(), key.empty() ? "" : ", " + prefix_ + key, ")");
  }
  void check_whole(const json& value, const char* key) const {
    check(value.is_number_integer(), key, "a whole number", value);
  }

  const json& object_;
  const fs::path& path_;
  std::string prefix_;
};

MemoryByKind read_memory(const json& object, const fs::path& path) {
  const KeyReader keys(object, path, "memory.");
  MemoryByKind memory;
  keys.optional("weights", memory.weights);
  keys.optional("optimizer", memory.optimizer);
  keys.optional("gradients", memory.gradients);
  keys.optional("activations", memory.activations);
  return memory;
}

std::map<std::string, std::string> read_files(const json& object, const fs::path& path) {
  const KeyReader keys(object, path, "files.");
  std::map<std::string, std::string> files;
  for (const auto& [name, hash] : object.items()) {
    keys.check(hash.is_string(), name, "a SHA-256", hash);
    files[name] = hash.get<std::string>();
  }
  return files;
}

}  // namespace

std::string program_version() {
  return QSLAW_VERSION;
}
std::string program_git() {
  return QSLAW_GIT;
}

StageReport new_stage_report(const std::string& stage, const std::string& name) {
  StageReport report;
  report.stage = stage;
  report.name = name;
  report.version = program_version();
  report.git = program_git();
  return report;
}

void write_stage_report(const fs::path& folder, const StageReport& report) {
  write_file_atomic(folder / "report.json", dump_lenient(report_to_json(report), 2) + "\n");
}

StageReport read_stage_report(const fs::path& folder) {
  const fs::path path = folder / "report.json";
  const json object = parse_json(read_file(path), "report", path.string());
  const KeyReader keys(object, path);
  StageReport report;
  keys.required("stage", report.stage);
  keys.required("status", report.status);
  keys.optional("name", report.name);
  keys.optional("version", report.version);
  keys.optional("git", report.git);
  keys.optional("device", report.device);
  keys.optional("fingerprint", report.fingerprint);
  keys.optional("seed", report.seed);
  keys.optional("seconds", report.seconds);
  keys.optional("tokens_per_second", report.tokens_per_second);
  keys.optional("peak_host_bytes", report.peak_host_bytes);
  keys.optional("peak_device_bytes", report.peak_device_bytes);
  keys.optional("results", report.results);
  if (const json* memory = keys.find("memory")) report.memory = read_memory(*memory, path);
  if (const json* files = keys.find("files")) report.files = read_files(*files, path);
  return report;
}

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"quantize", "warmup", "tune", "eval", "export"};
  return names;
}

bool leaves_model(const std::string& stage) {
  return stage == "quantize" || stage == "warmup" || stage == "tune";
}

std::optional<StageReport> complete_report(const fs::path& folder) {
  if (!fs::exists(folder / "report.json")) return std::nullopt;
  StageReport report = read_stage_report(folder);
  if (report.status != "complete") return std::nullopt;
  return report;
}

bool is_stage_complete(const fs::path& folder) {
  return complete_report(folder).has_value();
}

}  // namespace qslaw
