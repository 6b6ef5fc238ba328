// CUDA graphs: what a function queues on a GPU, recorded once and queued again as a whole, which takes the
// host some microseconds instead of some for every kernel.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace qslaw {

/// Graphs of one device share memory: what one has computed is valid until another is recorded or replayed.
/// One is recorded at a time.
class CudaGraph {
 public:
  CudaGraph() = default;
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  /// Records what `work` queues on the device of `beside`, without doing it; in place of what was recorded
  /// before. A replay repeats it at the same addresses: tensors from before `work` must live as long as the
  /// graph; those that it makes live in the graph's memory, and one that it keeps has the newest replay's
  /// values. `work` must not wait for the device, copy to or from ordinary host memory, or make shapes depend
  /// on values, and should have been done before (libraries set themselves up on first use). Throws what
  /// `work` throws, InternalError for what cannot be recorded; then nothing is.
  void record(const at::Tensor& beside, const std::function<void()>& work);

  bool is_recorded() const { return graph_ != nullptr; }

  /// Queues it on LibTorch's current stream. REQUIRES: is_recorded().
  void replay() const;

 private:
  void release();

  at::Tensor beside_;
  void* graph_ = nullptr;
};

}  // namespace qslaw
