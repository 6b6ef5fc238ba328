// Dropout over a stretch of values that begins at entry `first`, per dtype.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

#include "kernels/dropout_math.h"

namespace qslaw::cpu {

void drop(const float* x, uint32_t first, int64_t n, const Dropout& dropout, float* out);
void drop(const c10::BFloat16* x, uint32_t first, int64_t n, const Dropout& dropout, c10::BFloat16* out);
void drop(const c10::Half* x, uint32_t first, int64_t n, const Dropout& dropout, c10::Half* out);

/// sum += what `drop` gives, which is rounded first.
void add_drop(const float* x, uint32_t first, int64_t n, const Dropout& dropout, float* sum);
void add_drop(const c10::BFloat16* x, uint32_t first, int64_t n, const Dropout& dropout, c10::BFloat16* sum);
void add_drop(const c10::Half* x, uint32_t first, int64_t n, const Dropout& dropout, c10::Half* sum);

}  // namespace qslaw::cpu
