// Seeded random tensors, the same on every machine and thread count.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace qslaw {

/// Uniform in [-bound, bound), float32, CPU.
at::Tensor random_uniform(const std::vector<int64_t>& shape, double bound, uint64_t seed);

/// Normal with mean 0, float32, CPU.
at::Tensor random_normal(const std::vector<int64_t>& shape, double deviation, uint64_t seed);

}  // namespace qslaw
