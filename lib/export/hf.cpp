#include <ATen/ATen.h>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "export/formats.h"
#include "export/hf_files.h"
#include "export/hf_tensors.h"
#include "export/shards.h"
#include "io/json.h"

namespace qslaw {
namespace {

nlohmann::json write_folder(const ExportTask& task, const std::filesystem::path& folder, bool merge_adapter) {
  const at::NoGradGuard no_grad;
  RoundingErrors errors;
  const auto tensors = hf_tensors(task, merge_adapter, errors);
  write_shards(folder, tensors, task.options.max_shard_bytes);
  verify_shards(folder, tensors);
  nlohmann::json config = hf_config(task.model->config, task.options.dtype);
  if (!merge_adapter && !task.base_sha256.empty()) config[kPackedBaseKey] = task.base_sha256;
  write_json(folder / "config.json", config);
  copy_companion_files(task.source, task.model->config, folder);
  write_preprocessor(task.transform, folder);
  log_info(concat("export: linears ",
                  merge_adapter && !task.adapter.empty() ? "with the adapter merged " : "", "rounded to ",
                  task.options.dtype, ", relative error ", errors.mean(), " on average, at most ",
                  errors.largest(), " in ", errors.largest_layer()));
  return rounding_json(errors);
}

}  // namespace

nlohmann::json write_hf(const ExportTask& task, const std::filesystem::path& folder) {
  return write_folder(task, folder, true);
}

nlohmann::json write_hf_base(const ExportTask& task, const std::filesystem::path& folder) {
  return write_folder(task, folder, false);
}

}  // namespace qslaw
