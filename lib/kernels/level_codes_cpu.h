// Codes of one block, per dtype; level_codes.cpp splits tensors into blocks.
#pragma once
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

namespace qslaw::cpu {

/// One byte per code of n <= kMaxLevelBlock values among `count` ascending midpoints; returns absmax.
float encode_block(const float* values, int64_t n, const float* midpoints, int64_t count, uint8_t* codes);
float encode_block(const c10::BFloat16* values, int64_t n, const float* midpoints, int64_t count,
                   uint8_t* codes);
float encode_block(const c10::Half* values, int64_t n, const float* midpoints, int64_t count, uint8_t* codes);

}  // namespace qslaw::cpu
