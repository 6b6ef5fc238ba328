// From a tensor's dtype to the element type of the kernels: by value (Element) for those over raw memory, as
// a C++ type for the CPU loops of a training step.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/error.h"
#include "kernels/element.h"

namespace qslaw {

inline bool is_element(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
}

inline Element element_of(at::ScalarType dtype) {
  QSLAW_CHECK(is_element(dtype));
  return dtype == at::kFloat      ? Element::float32
         : dtype == at::kBFloat16 ? Element::bfloat16
                                  : Element::float16;
}

/// float32, bfloat16 or float16 on the CPU or on CUDA: what the kernels of this folder take.
inline bool has_kernels(const at::Tensor& tensor) {
  return (tensor.is_cpu() || tensor.is_cuda()) && is_element(tensor.scalar_type());
}

/// What sums over values of such a dtype are kept in: float64 for float64, else float32.
inline at::ScalarType wide_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// fn(T{}) with the C++ type of `dtype`.
template <typename Fn>
void with_element_type(at::ScalarType dtype, const Fn& fn) {
  switch (element_of(dtype)) {
    case Element::float32:
      return fn(float{});
    case Element::bfloat16:
      return fn(at::BFloat16{});
    case Element::float16:
      return fn(at::Half{});
  }
}

/// Elements of a contiguous tensor to read.
struct ElementReader {
  explicit ElementReader(const at::Tensor& tensor)
      : data(static_cast<const char*>(tensor.const_data_ptr())),
        bytes(static_cast<int64_t>(tensor.element_size())),
        type(element_of(tensor.scalar_type())) {}
  const void* at(int64_t index) const { return data + index * bytes; }

  const char* data;
  int64_t bytes;
  Element type;
};

/// Elements of a contiguous tensor to write.
struct ElementWriter {
  explicit ElementWriter(at::Tensor& tensor)
      : data(static_cast<char*>(tensor.mutable_data_ptr())),
        bytes(static_cast<int64_t>(tensor.element_size())),
        type(element_of(tensor.scalar_type())) {}
  void* at(int64_t index) const { return data + index * bytes; }

  char* data;
  int64_t bytes;
  Element type;
};

}  // namespace qslaw
