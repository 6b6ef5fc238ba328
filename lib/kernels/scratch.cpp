#include "kernels/scratch.h"

#include <ATen/ATen.h>

#include <map>

namespace qslaw {

at::Tensor scratch_matrix(int64_t rows, int64_t columns, const at::TensorOptions& options) {
  if (!options.device().is_cpu()) return at::empty({rows, columns}, options);
  thread_local std::map<at::ScalarType, at::Tensor> buffers;
  at::Tensor& buffer = buffers[c10::typeMetaToScalarType(options.dtype())];
  if (!buffer.defined() || buffer.numel() < rows * columns) {
    buffer = at::Tensor();  // before the larger one is there
    buffer = at::empty({rows * columns}, options);
  }
  return buffer.narrow(0, 0, rows * columns).view({rows, columns});
}

}  // namespace qslaw
