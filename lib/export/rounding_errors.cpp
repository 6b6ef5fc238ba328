#include "export/rounding_errors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace qslaw {
namespace {

// Of the weights that are compared at once: no second copy of a large linear.
constexpr int64_t kTileElements = int64_t{1} << 20;

// Summed in float64: a million float32 squares one after the other lose five digits.
double squared_norm(const at::Tensor& values) {
  return values.square().sum(at::kDouble).item<double>();
}

}  // namespace

double rounding_error(const at::Tensor& weight_NK, const at::Tensor& rounded_NK) {
  const int64_t rows = weight_NK.size(0);
  const int64_t step = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, weight_NK.size(1)));
  double lost = 0.0, whole = 0.0;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    const at::Tensor weight = weight_NK.narrow(0, begin, count).to(at::kFloat);
    lost += squared_norm(rounded_NK.narrow(0, begin, count).to(at::kFloat) - weight);
    whole += squared_norm(weight);
  }
  return whole > 0 ? std::sqrt(lost / whole) : 0.0;
}

void RoundingErrors::add(const std::string& layer, const at::Tensor& weight_NK,
                         const at::Tensor& rounded_NK) {
  const double error = rounding_error(weight_NK, rounded_NK);
  if (count_ == 0 || error > largest_) {
    largest_ = error;
    largest_layer_ = layer;
  }
  sum_ += error;
  ++count_;
}

nlohmann::json rounding_json(const RoundingErrors& errors) {
  return {{"rounding_error_mean", errors.mean()},
          {"rounding_error_max", errors.largest()},
          {"rounding_error_max_layer", errors.largest_layer()}};
}

}  // namespace qslaw
