#include "model/decode.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/one_line.h"
#include "kernels/rms_norm.h"

namespace qslaw {
namespace {

constexpr size_t kReasonLimit = 200;  // characters of a warning

// A block of a long prompt may take seconds.
void end_if_asked() {
  if (stop_requested()) throw Stopped("stopped while generating; --resume goes on behind the last answers");
}

// The norm in front of block l, or behind the last one.
const at::Tensor& norm_before(const Llama& language, size_t l) {
  return l < language.blocks.size() ? language.blocks[l].input_norm_D : language.norm_D;
}

// The part of a step that stays on the device: the same kernels at the same addresses for every token.
at::Tensor decode_embedded(const Llava& model, const at::Tensor& x_B1D, KvCache& cache) {
  const Llama& language = model.language;
  const RopeTable rope =
      make_rope_table(language.rope_frequencies, cache.lengths().unsqueeze(1), x_B1D.scalar_type());
  SumAndNorm x{x_B1D, rms_norm(x_B1D, norm_before(language, 0), language.config.rms_eps)};
  for (size_t l = 0; l < language.blocks.size(); ++l) {
    end_if_asked();
    x = block_decode(language.blocks[l], language.config, x, norm_before(language, l + 1), rope, cache,
                     static_cast<int64_t>(l));
  }
  cache.advance();
  return llama_logits(language, x.norm.select(1, 0));
}

}  // namespace

at::Tensor prefill(const Llava& model, const Batch& prompts, KvCache& cache) {
  const Llama& language = model.language;
  at::Tensor x = embed_batch(model, prompts);
  const RopeTable rope = rope_table_of_length(language.rope_frequencies, x.size(1), x.scalar_type());
  for (size_t l = 0; l < language.blocks.size(); ++l) {
    end_if_asked();
    x = block_forward(language.blocks[l], language.config, x, rope, &cache, static_cast<int64_t>(l));
  }
  const at::Tensor lengths_B = prompts.lengths_B.to(model.device);
  cache.set_lengths(lengths_B);
  const at::Tensor last_BD = x.index({at::arange(x.size(0), lengths_B.options()), lengths_B - 1});
  return llama_logits(language, rms_norm(last_BD, language.norm_D, language.config.rms_eps));
}

at::Tensor decode_step(const Llava& model, const at::Tensor& tokens_B, KvCache& cache) {
  cache.claim_slots();
  return decode_embedded(model, embed_tokens(model, tokens_B.unsqueeze(1)), cache);
}

DecodeStepper::DecodeStepper(const Llava& model, KvCache& cache)
    : model_(model), cache_(cache), may_record_(model.device.is_cuda()) {}

at::Tensor DecodeStepper::step(const at::Tensor& tokens_B) {
  const at::NoGradGuard no_grad;
  if (!may_record_ || steps_++ < kEagerSteps) return decode_step(model_, tokens_B, cache_);
  cache_.claim_slots();
  // Not recorded: a mapped table's rows come by way of the host.
  const at::Tensor x_B1D = embed_tokens(model_, tokens_B.unsqueeze(1));
  if (!graph_.is_recorded()) record(x_B1D);
  if (!graph_.is_recorded()) return decode_embedded(model_, x_B1D, cache_);
  end_if_asked();
  x_B1D_.copy_(x_B1D);
  graph_.replay();
  return logits_BV_;
}

void DecodeStepper::record(const at::Tensor& x_B1D) {
  x_B1D_ = x_B1D.clone();
  try {
    graph_.record(x_B1D_, [&] { logits_BV_ = decode_embedded(model_, x_B1D_, cache_); });
  } catch (const Stopped&) {
    throw;
  } catch (const std::exception& error) {
    may_record_ = false;
    logits_BV_.reset();
    log_warning_once(
        concat("[model] expected to record a decode step as a CUDA graph; generation goes on without, which ",
               "is slower: ", one_line(error.what(), kReasonLimit)));
  }
}

}  // namespace qslaw
