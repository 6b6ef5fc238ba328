// The element types of weight files, with the names that they have for users, in safetensors and in files of
// torch.save.
#pragma once
#include <c10/core/ScalarType.h>

#include <string>

#include "core/error.h"

namespace qslaw {

struct Dtype {
  at::ScalarType type;
  const char* name;         // PyTorch's and NumPy's
  const char* safetensors;  // of the format's header
  const char* storage;      // class in torch.save's pickle
};

inline constexpr Dtype kDtypes[] = {{at::kDouble, "float64", "F64", "torch.DoubleStorage"},
                                    {at::kFloat, "float32", "F32", "torch.FloatStorage"},
                                    {at::kHalf, "float16", "F16", "torch.HalfStorage"},
                                    {at::kBFloat16, "bfloat16", "BF16", "torch.BFloat16Storage"},
                                    {at::kLong, "int64", "I64", "torch.LongStorage"},
                                    {at::kInt, "int32", "I32", "torch.IntStorage"},
                                    {at::kShort, "int16", "I16", "torch.ShortStorage"},
                                    {at::kChar, "int8", "I8", "torch.CharStorage"},
                                    {at::kByte, "uint8", "U8", "torch.ByteStorage"},
                                    {at::kBool, "bool", "BOOL", "torch.BoolStorage"}};

/// The row of a type. REQUIRES: it has one.
inline const Dtype& dtype_row(at::ScalarType type) {
  for (const Dtype& row : kDtypes) {
    if (row.type == type) return row;
  }
  QSLAW_CHECK(!"dtype without a row");
}

/// As a message names it: "float32", "int8".
inline std::string dtype_name(at::ScalarType type) {
  return dtype_row(type).name;
}

}  // namespace qslaw
