#include "kernels/cuda_graph.h"

#include "core/error.h"
#include "kernels/cuda_call.h"

namespace qslaw {

CudaGraph::~CudaGraph() {
  release();
}

void CudaGraph::release() {
  if (!graph_) return;
  cuda_call(beside_, "graph_free", [&](const CudaKernels& kernels, void*) -> const char* {
    kernels.graph_free(graph_);
    return nullptr;
  });
  graph_ = nullptr;
}

void CudaGraph::record(const at::Tensor& beside, const std::function<void()>& work) {
  release();
  beside_ = beside;
  try {
    cuda_call(beside, "graph_begin", [&](const CudaKernels& kernels, void*) {
      return kernels.graph_begin(static_cast<int32_t>(beside.get_device()), &graph_);
    });
    work();
    cuda_call(beside, "graph_end",
              [&](const CudaKernels& kernels, void*) { return kernels.graph_end(graph_); });
  } catch (...) {
    release();
    throw;
  }
}

void CudaGraph::replay() const {
  QSLAW_CHECK(is_recorded());
  cuda_call(beside_, "graph_replay",
            [&](const CudaKernels& kernels, void*) { return kernels.graph_replay(graph_); });
}

}  // namespace qslaw
