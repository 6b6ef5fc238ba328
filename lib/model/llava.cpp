#include "model/llava.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "kernels/cross_entropy.h"

namespace qslaw {
namespace {

at::Tensor picture_features(const Llava& model, const at::Tensor& pixels_N3SS, bool train_vision) {
  const at::Tensor pixels = pixels_N3SS.to(model.device, model.dtype);
  at::AutoGradMode mode(train_vision && at::GradMode::is_enabled());
  return clip_features(model.vision, pixels);
}

// Which sample of a packed batch holds each of these columns.
at::Tensor packed_samples(const Batch& batch, const at::Tensor& columns_M) {
  const at::Tensor ends = batch.lengths_B.cumsum(0);
  return at::searchsorted(ends, columns_M, /*out_int32=*/false, /*right=*/true);
}

}  // namespace

at::Tensor embed_tokens(const Llava& model, const at::Tensor& ids) {
  const at::Tensor& table_VD = model.language.embedding_VD;
  return at::embedding(table_VD, ids.to(table_VD.device())).to(model.device, model.dtype);
}

at::Tensor embed_batch(const Llava& model, const Batch& batch, const ForwardOptions& options) {
  const at::Tensor ids = batch.ids_BT.to(model.device);
  const at::Tensor is_picture = ids == kImagePlaceholder;
  at::Tensor x = embed_tokens(model, ids.masked_fill(is_picture, 0));
  if (!batch.pixels_N3SS.defined()) return x;
  const at::Tensor features = picture_features(model, batch.pixels_N3SS, options.train_vision);
  const at::Tensor projected = project_features(model.projector, features).flatten(0, 1);
  return x.masked_scatter(is_picture.unsqueeze(-1), projected);
}

TokenLosses token_losses(const Llava& model, const Batch& batch, const ForwardOptions& options) {
  const at::Tensor hidden_BTD = llama_hidden(model.language, embed_batch(model, batch, options),
                                             options.checkpointing, batch.packed_lengths());
  const int64_t T = hidden_BTD.size(1);
  // Found and checked on the CPU, where the batch is: no GPU is waited for.
  const at::Tensor labels = batch.labels_BT.narrow(1, 1, T - 1);
  const at::Tensor where_M2 = at::nonzero(labels != kIgnoreLabel);
  const at::Tensor rows_M = where_M2.select(1, 0), columns_M = where_M2.select(1, 1);
  const at::Tensor places_M = (rows_M * T + columns_M).to(model.device);
  const at::Tensor hidden_MD = hidden_BTD.flatten(0, 1).index_select(0, places_M);
  const at::Tensor targets_M = labels.index({rows_M, columns_M});
  return {linear_cross_entropy(hidden_MD, model.language.head_VD, targets_M),
          batch.is_packed ? packed_samples(batch, columns_M + 1) : rows_M};
}

at::Tensor all_logits(const Llava& model, const Batch& batch) {
  return llama_logits(model.language, llama_hidden(model.language, embed_batch(model, batch),
                                                   Checkpointing::none, batch.packed_lengths()));
}

}  // namespace qslaw
