// The types of weights and activations. Alone in this header, because device code and the files for one
// instruction set see it (cuda_abi.h, row_kernels.h); elements.h maps dtypes to it.
#pragma once
#include <cstdint>

namespace qslaw {

enum class Element : int32_t { float32, bfloat16, float16 };

}  // namespace qslaw
