// What the benchmarks ask of the GPU itself.
#pragma once
#include <c10/core/Stream.h>

#include <string>

namespace qslaw::bench {

/// The stream that CUDA graphs are recorded on (kernels/cuda_graph.h). With it as the current one a gradient
/// can be recorded, which LibTorch queues on the stream of its forward pass. Where nothing can be recorded,
/// the current stream.
c10::Stream recording_stream(c10::Device device);

/// The name of the first GPU that this process sees, as the driver has it; "" where there is no driver.
std::string gpu_name();

/// Floating-point operations a second of dense bfloat16 products as its data sheet has them, or 0 for a card
/// that is not known here.
double bfloat16_peak();

}  // namespace qslaw::bench
