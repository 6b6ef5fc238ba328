#include "export/export.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "export/formats.h"
#include "export/staged_folder.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

struct ExportFormat {
  const char* name;
  // UserError before anything is written, if it can. Returns what is to be reported.
  nlohmann::json (*write)(const ExportTask& task, const fs::path& folder);
};

// To add a format: lib/export/<format>.cpp with a function declared in formats.h, a row here and in options.h
// (which reads recipes without knowing LibTorch), a check of the written folder in
// tests/export/check_export.py, a line in docs/formats.md.
constexpr ExportFormat kFormats[] = {
    {"hf", write_hf},
    {"hf_base", write_hf_base},
    {"peft", write_peft},
};

constexpr bool has_known_names() {
  if (std::size(kFormats) != std::size(kExportFormats)) return false;
  for (size_t i = 0; i < std::size(kFormats); ++i)
    if (std::string_view(kFormats[i].name) != kExportFormats[i]) return false;
  return true;
}
static_assert(has_known_names(), "kFormats and kExportFormats name other formats");

// REQUIRES: a known name.
const ExportFormat& find_format(const std::string& name) {
  return *std::find_if(std::begin(kFormats), std::end(kFormats),
                       [&](const auto& row) { return name == row.name; });
}

int64_t folder_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

// Beside the new ones they would pass for the same model's: a peft of an earlier run names its base by its
// place, which now holds another.
void remove_other_formats(const ExportTask& task) {
  for (const ExportFormat& format : kFormats) {
    if (!exports(task.options, format.name)) remove_with_leftovers(task.folder / format.name);
  }
}

}  // namespace

void require_not_stopped() {
  if (stop_requested()) throw Stopped("export was stopped; it starts over");
}

nlohmann::json export_model(const ExportTask& task) {
  require_exportable(task);
  nlohmann::json written = nlohmann::json::object();
  for (const std::string& name : task.options.formats) {
    require_not_stopped();
    const fs::path path = task.folder / name;
    StagedFolder folder(path);
    nlohmann::json result = find_format(name).write(task, folder.path());
    folder.publish();
    const int64_t bytes = folder_bytes(path);
    log_info(concat("exported ", name, " to ", path.string(), " (", format_bytes(bytes), ")"));
    result["path"] = path.string();
    result["bytes"] = bytes;
    written[name] = result;
  }
  remove_other_formats(task);
  return written;
}

}  // namespace qslaw
