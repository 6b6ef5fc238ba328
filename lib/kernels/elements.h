// float32, bfloat16 and float16 tensors as raw memory for the CPU kernels.
#pragma once
#include <ATen/core/Tensor.h>

#include "core/error.h"
#include "kernels/row_kernels.h"

namespace qslaw {

inline cpu::Element element_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return cpu::Element::float32;
    case at::kBFloat16:
      return cpu::Element::bfloat16;
    case at::kHalf:
      return cpu::Element::float16;
    default:
      QSLAW_CHECK(!"elements are float32, bfloat16 or float16");
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
  cpu::Element type;
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
  cpu::Element type;
};

}  // namespace qslaw
