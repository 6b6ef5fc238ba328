// SwiGLU over a stretch of values, per dtype.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

void swiglu_row(const float* gate, const float* up, int64_t n, float* out);
void swiglu_row(const c10::BFloat16* gate, const c10::BFloat16* up, int64_t n, c10::BFloat16* out);
void swiglu_row(const c10::Half* gate, const c10::Half* up, int64_t n, c10::Half* out);

/// d gate and d up from dy.
void swiglu_row_gradient(const float* gate, const float* up, const float* dy, int64_t n, float* dgate,
                         float* dup);
void swiglu_row_gradient(const c10::BFloat16* gate, const c10::BFloat16* up, const c10::BFloat16* dy,
                         int64_t n, c10::BFloat16* dgate, c10::BFloat16* dup);
void swiglu_row_gradient(const c10::Half* gate, const c10::Half* up, const c10::Half* dy, int64_t n,
                         c10::Half* dgate, c10::Half* dup);

}  // namespace qslaw::cpu
