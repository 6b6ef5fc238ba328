// RMS normalization of one row, per dtype; rms_norm.cpp splits tensors into rows.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// out = round(x * inverse_rms) * weight; returns the row's 1 / sqrt(mean(x^2) + eps).
float rms_norm_row(const float* x, const float* weight, int64_t n, float eps, float* out);
float rms_norm_row(const c10::BFloat16* x, const c10::BFloat16* weight, int64_t n, float eps,
                   c10::BFloat16* out);
float rms_norm_row(const c10::Half* x, const c10::Half* weight, int64_t n, float eps, c10::Half* out);

/// dx of one row from dy.
void rms_norm_row_gradient(const float* x, const float* weight, const float* dy, int64_t n, float inverse_rms,
                           float* dx);
void rms_norm_row_gradient(const c10::BFloat16* x, const c10::BFloat16* weight, const c10::BFloat16* dy,
                           int64_t n, float inverse_rms, c10::BFloat16* dx);
void rms_norm_row_gradient(const c10::Half* x, const c10::Half* weight, const c10::Half* dy, int64_t n,
                           float inverse_rms, c10::Half* dx);

/// Adds one row's part of the weight's gradient to the float32 sums.
void rms_norm_add_weight_gradient(const float* x, const float* dy, int64_t n, float inverse_rms, float* sums);
void rms_norm_add_weight_gradient(const c10::BFloat16* x, const c10::BFloat16* dy, int64_t n,
                                  float inverse_rms, float* sums);
void rms_norm_add_weight_gradient(const c10::Half* x, const c10::Half* dy, int64_t n, float inverse_rms,
                                  float* sums);

}  // namespace qslaw::cpu
