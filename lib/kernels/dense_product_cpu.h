// One output of a product, per dtype; dense_product.cpp splits tensors into rows.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// y[m * stride] = sum over n columns of x[m * n + i] * row[i], for m below `tokens`.
void product_row(const float* row, const float* x, int64_t n, int64_t tokens, int64_t stride, float* y);
void product_row(const c10::BFloat16* row, const c10::BFloat16* x, int64_t n, int64_t tokens, int64_t stride,
                 c10::BFloat16* y);
void product_row(const c10::Half* row, const c10::Half* x, int64_t n, int64_t tokens, int64_t stride,
                 c10::Half* y);

}  // namespace qslaw::cpu
