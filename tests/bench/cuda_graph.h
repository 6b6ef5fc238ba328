// Work on a GPU recorded once and queued again by one call: a CUDA graph, without linking the CUDA runtime.
// The program's own (kernels/cuda_graph.h) records on a stream of its own; a gradient is queued by LibTorch
// on the stream of its forward pass and would be missing from it. This one records the current stream itself.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace qslaw::bench {

class RecordedWork {
 public:
  /// Runs `work` while the current stream of `device`, which must not be the default one, records instead of
  /// computing. Null where it cannot be recorded, as when `work` looks at a result; nothing is queued then.
  /// What `work` allocates and frees belongs to the recording: until it is gone, nothing else may be
  /// allocated on the device.
  static std::unique_ptr<RecordedWork> record(at::Device device, const std::function<void()>& work);
  ~RecordedWork();
  RecordedWork(const RecordedWork&) = delete;
  RecordedWork& operator=(const RecordedWork&) = delete;

  /// Queues it on the stream that it was recorded on.
  void replay() const;

 private:
  RecordedWork(void* executable, void* stream) : executable_(executable), stream_(stream) {}

  void* executable_;  // cudaGraphExec_t, owned
  void* stream_;      // cudaStream_t
};

/// The name of the first GPU that this process sees, as the driver has it; "" where there is no driver.
std::string gpu_name();

/// Floating-point operations a second of dense bfloat16 products as its data sheet has them, or 0 for a card
/// that is not known here.
double bfloat16_peak();

}  // namespace qslaw::bench
