// The table of CUDA kernels (cuda_abi.h) and what it needs. Device code lives in libqslaw_cuda.so, which is
// loaded when a CUDA tensor first arrives, so that CPU runs pay nothing for it (0.2 s and 350 MB at start-up
// otherwise).
#pragma once
#include <cstdint>

namespace qslaw {

/// Makes CUDA usable: loads LibTorch's CUDA side and our kernels from beside the executable or the loader's
/// path, and has LibTorch's operators give the same bits twice (docs/architecture.md, "Reproducibility").
/// UserError saying what is missing. REQUIRES: called before anything asks LibTorch about CUDA
/// (at::manual_seed does, too), because LibTorch keeps its first answer.
void load_cuda();

/// GPUs that this process sees. REQUIRES: load_cuda().
int64_t cuda_device_count();

/// UserError unless `index`, the N of `--device cuda:N`, is that of one of `count` GPUs.
void require_device_index(int64_t index, int64_t count);

/// True when the system has an NVIDIA driver: a look at /dev, so that `--device auto` costs a CPU machine
/// nothing.
bool has_nvidia_driver();

}  // namespace qslaw
