#include "model/nonfinite.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/rms_norm.h"

namespace qslaw {

std::string find_nonfinite(const Llava& model, const Batch& batch) {
  const auto finite = [](const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); };
  if (batch.pixels_N3SS.defined()) {
    const at::Tensor features = clip_features(model.vision, batch.pixels_N3SS.to(model.device, model.dtype));
    if (!finite(features)) return "the vision tower";
    if (!finite(project_features(model.projector, features))) return "the projector";
  }
  at::Tensor x = embed_batch(model, batch);
  if (!finite(x)) return "the embeddings";
  const RopeTable rope = rope_table_for(model.language, x, batch.packed_lengths());
  for (size_t l = 0; l < model.language.blocks.size(); ++l) {
    x = block_forward(model.language.blocks[l], model.language.config, x, rope);
    if (!finite(x)) return "decoder block " + std::to_string(l);
  }
  x = rms_norm(x, model.language.norm_D, model.language.config.rms_eps);
  if (!finite(x)) return "the decoder's last norm";
  return finite(llama_logits(model.language, x)) ? "" : "the output head";
}

void fail_nonfinite(const std::string& what, const Llava& model, const Batch& batch, size_t row) {
  at::NoGradGuard no_grad;
  const std::string place = find_nonfinite(model, batch);
  fail("model", "expected finite ", what, " of sample ",
       row < batch.sample_ids.size() ? batch.sample_ids[row] : concat("number ", row),
       ", got NaN or infinity", place.empty() ? "" : ", first in ", place,
       " (are the weights damaged? where float16 overflows, bfloat16 or float32 may help)");
}

}  // namespace qslaw
