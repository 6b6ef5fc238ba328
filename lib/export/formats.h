// The formats' writers; each fills an empty folder and returns what is to be reported beside its path.
#pragma once
#include <filesystem>

#include "export/export.h"

namespace qslaw {

/// Hugging Face's LlavaForConditionalGeneration in 16 (or 32) bits: with the adapter merged, and without it.
/// UserError for values that the dtype cannot hold. Reported: what rounding to the dtype costs
/// (rounding_errors.h).
nlohmann::json write_hf(const ExportTask& task, const std::filesystem::path& folder);
nlohmann::json write_hf_base(const ExportTask& task, const std::filesystem::path& folder);

/// The adapter and the projector as PEFT loads them on top of hf_base.
nlohmann::json write_peft(const ExportTask& task, const std::filesystem::path& folder);

/// UserError, before anything is written, when one of the task's formats cannot hold the model.
void require_exportable(const ExportTask& task);

/// Throws Stopped when a stop was asked for: between two tensors, of which a large model has many.
void require_not_stopped();

}  // namespace qslaw
