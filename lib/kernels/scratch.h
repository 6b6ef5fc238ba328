// Working memory that one operator after the other uses.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace qslaw {

/// An uninitialized [rows, columns] matrix. On the CPU it lies in a buffer of this thread, which grows to the
/// largest matrix asked for and is valid until the next call of the same dtype. On other devices the
/// allocator keeps freed memory by itself, so it is a matrix of its own.
at::Tensor scratch_matrix(int64_t rows, int64_t columns, const at::TensorOptions& options);

}  // namespace qslaw
