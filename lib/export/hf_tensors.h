// The tensors of a Hugging Face LLaVA checkpoint, made from a model one at a time.
#pragma once
#include <vector>

#include "export/export.h"
#include "export/rounding_errors.h"
#include "io/safetensors.h"

namespace qslaw {

/// Rows of the exported vocabulary. A model joined from three parts gives its pictures an id behind the
/// language model's vocabulary; Hugging Face looks that id up in the embedding, so rows are added (to a
/// multiple of 64, as its converter does).
int64_t exported_vocab(const LlavaConfig& config);

/// Every tensor that LlavaForConditionalGeneration has, under the names of written_names(), in the task's
/// dtype; with the adapter merged, or without it. The makers are UserErrors for values that the dtype cannot
/// hold, and add what the decoder's linears lose to `errors`. REQUIRES: the task's model and `errors` outlive
/// them.
std::vector<StreamedTensor> hf_tensors(const ExportTask& task, bool merge_adapter, RoundingErrors& errors);

/// "bfloat16", "float16" or "float32" as a type. REQUIRES: checked options.
at::ScalarType export_dtype(const ExportOptions& options);

}  // namespace qslaw
