// One block of AdamW with 8-bit moments; adamw_int8.cpp splits tensors into blocks.
#pragma once
#include <cstdint>

#include "kernels/adamw_int8.h"

namespace qslaw::cpu {

/// n <= kMomentBlock values of which the first is number `begin` of its tensor.
void adamw_int8_block(float* parameter, const float* gradient, int64_t n, uint32_t begin,
                      const AdamWStep& step, int8_t* first, float& first_maximum, uint8_t* second,
                      float& second_maximum);

}  // namespace qslaw::cpu
