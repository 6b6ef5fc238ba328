// What merged or dequantized weights lose when they are rounded to the exported dtype.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw {

/// |R - W| / |W| (Frobenius) of a weight and what it was rounded to, a few rows at a time.
double rounding_error(const at::Tensor& weight_NK, const at::Tensor& rounded_NK);

/// Over the decoder's linears, one after the other.
class RoundingErrors {
 public:
  void add(const std::string& layer, const at::Tensor& weight_NK, const at::Tensor& rounded_NK);

  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0.0; }
  double largest() const { return largest_; }
  const std::string& largest_layer() const { return largest_layer_; }

 private:
  int64_t count_ = 0;
  double sum_ = 0.0, largest_ = 0.0;
  std::string largest_layer_;
};

/// {"rounding_error_mean", "rounding_error_max", "rounding_error_max_layer"}.
nlohmann::json rounding_json(const RoundingErrors& errors);

}  // namespace qslaw
