// Softmax and its loss over one token's logits, per dtype.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// -log softmax(logits)[target]. scratch: n floats; afterward exp(logits - largest), to be divided by `sum`.
float token_loss(const float* logits, int64_t n, int64_t target, float* scratch, float& sum);
float token_loss(const c10::BFloat16* logits, int64_t n, int64_t target, float* scratch, float& sum);
float token_loss(const c10::Half* logits, int64_t n, int64_t target, float* scratch, float& sum);

/// out = scale * (scratch / sum - [target]), what token_loss left behind.
void token_gradient(const float* scratch, int64_t n, int64_t target, float sum, float scale, float* out);
void token_gradient(const float* scratch, int64_t n, int64_t target, float sum, float scale,
                    c10::BFloat16* out);
void token_gradient(const float* scratch, int64_t n, int64_t target, float sum, float scale, c10::Half* out);

/// out = x * scale.
void scale_row(const float* x, int64_t n, float scale, float* out);
void scale_row(const c10::BFloat16* x, int64_t n, float scale, c10::BFloat16* out);
void scale_row(const c10::Half* x, int64_t n, float scale, c10::Half* out);

}  // namespace qslaw::cpu
