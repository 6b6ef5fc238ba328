#include "export/export.h"

#include "core/error.h"
#include "core/log.h"
#include "export/formats.h"
#include "export/staged_folder.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

struct ExportFormat {
  const char* name;
  void (*write)(const ExportTask& task,
                const fs::path& folder);  // UserError before anything is written, if it can
};

// To add a format: lib/export/<format>.cpp with a function declared in formats.h, a row here, a check of the
// written folder in tests/export/check_export.py, a line in docs/formats.md.
constexpr ExportFormat kFormats[] = {
    {"hf", write_hf},
    {"hf_base", write_hf_base},
    {"peft", write_peft},
};

const ExportFormat& find_format(const std::string& name) {
  for (const ExportFormat& format : kFormats) {
    if (name == format.name) return format;
  }
  fail("export", "expected a format out of ", join(export_format_names()), ", got \"", name, "\"");
}

int64_t folder_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace

std::vector<std::string> export_format_names() {
  std::vector<std::string> names;
  for (const ExportFormat& format : kFormats)
    names.push_back(format.name);
  return names;
}

nlohmann::json export_model(const ExportTask& task) {
  check(task.options);
  require_exportable(task);
  nlohmann::json written = nlohmann::json::object();
  for (const std::string& name : task.options.formats) {
    const fs::path path = task.folder / name;
    StagedFolder folder(path);
    find_format(name).write(task, folder.path());
    folder.publish();
    const int64_t bytes = folder_bytes(path);
    log_info(concat("exported ", name, " to ", path.string(), " (", format_bytes(bytes), ")"));
    written[name] = {{"path", path.string()}, {"bytes", bytes}};
  }
  return written;
}

}  // namespace qslaw
