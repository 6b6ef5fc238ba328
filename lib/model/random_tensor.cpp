#include "model/random_tensor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"

namespace qslaw {

at::Tensor random_uniform(const std::vector<int64_t>& shape, double bound, uint64_t seed) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  Random random(seed);
  float* data = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    data[i] = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
  return tensor;
}

at::Tensor random_normal(const std::vector<int64_t>& shape, double deviation, uint64_t seed) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  Random random(seed);
  float* data = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    // Box-Muller; 1 - u keeps the logarithm's argument above 0.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
    data[i] = static_cast<float>(deviation * radius * std::cos(2.0 * M_PI * random.uniform()));
  }
  return tensor;
}

}  // namespace qslaw
