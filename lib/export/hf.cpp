#include <ATen/ATen.h>

#include "core/files.h"
#include "export/formats.h"
#include "export/hf_files.h"
#include "export/hf_tensors.h"
#include "export/shards.h"
#include "io/json.h"

namespace qslaw {
namespace {

void write_folder(const ExportTask& task, const std::filesystem::path& folder, bool merge_adapter) {
  const at::NoGradGuard no_grad;
  const auto tensors = hf_tensors(task, merge_adapter);
  write_shards(folder, tensors, task.options.max_shard_bytes);
  verify_shards(folder, tensors);
  write_json(folder / "config.json", hf_config(task.model->config, task.options.dtype));
  copy_companion_files(task.source, task.model->config, folder);
  write_preprocessor(task.transform, folder);
}

}  // namespace

void write_hf(const ExportTask& task, const std::filesystem::path& folder) {
  write_folder(task, folder, true);
}

void write_hf_base(const ExportTask& task, const std::filesystem::path& folder) {
  write_folder(task, folder, false);
}

}  // namespace qslaw
