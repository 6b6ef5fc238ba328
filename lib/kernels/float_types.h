// From a tensor's dtype to the C++ type of the CPU loops.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/error.h"

namespace qslaw {

/// float32, bfloat16 or float16 on the CPU: what the loops of this folder take.
inline bool has_cpu_loops(const at::Tensor& tensor) {
  const auto dtype = tensor.scalar_type();
  return tensor.is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf);
}

/// What sums over values of such a dtype are kept in: float64 for float64, else float32.
inline at::ScalarType wide_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// fn(T{}) with the type that `dtype` names.
template <typename Fn>
void with_float_type(at::ScalarType dtype, const Fn& fn) {
  switch (dtype) {
    case at::kFloat:
      return fn(float{});
    case at::kBFloat16:
      return fn(at::BFloat16{});
    case at::kHalf:
      return fn(at::Half{});
    default:
      QSLAW_CHECK(!"expected float32, bfloat16 or float16");
  }
}

}  // namespace qslaw
