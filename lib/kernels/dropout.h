// Dropout without a stored mask (Srivastava et al. 2014, scaled while training).
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace qslaw {

/// x with each entry 0 with probability `rate`, else times 1 / (1 - rate), that factor rounded to x's dtype.
/// The entries that dropout_math.h says for the seed: the same on the CPU and on CUDA, whatever the number of
/// threads and the dtype (float64, which only tests use, has the device's own). REQUIRES: 0 <= rate < 1,
/// fewer than 2^32 entries. Not recorded by autograd.
at::Tensor dropout(const at::Tensor& x, double rate, uint64_t seed);

/// sum += dropout(x, rate, seed), in place; both contiguous, of one shape and dtype.
void add_dropout(at::Tensor& sum, const at::Tensor& x, double rate, uint64_t seed);

}  // namespace qslaw
