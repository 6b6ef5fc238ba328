// Products with packed weights beside products with 16-bit weights: many tokens (cuBLAS on a GPU) and few, as
// in decoding.
#include <ATen/ATen.h>

#include "bench/measure.h"
#include "bench/random_linear.h"
#include "core/error.h"

namespace qslaw::bench {
namespace {

struct Shape {
  int64_t rows, columns;
};

// The linears of LLaMA-7B and 13B.
std::vector<Shape> shapes(bool small) {
  if (small) return {{256, 128}};
  return {{4096, 4096}, {11008, 4096}, {4096, 11008}, {5120, 5120}, {13824, 5120}, {5120, 13824}};
}

struct Pair {
  std::unique_ptr<Linear> packed, dense;
};

// Largest relative error of the packed product that its rounding and that of bfloat16 explain.
constexpr double kMostError = 0.02;

double relative_error(const at::Tensor& y, const at::Tensor& reference) {
  const at::Tensor wide = reference.to(at::kFloat);
  return ((y.to(at::kFloat) - wide).norm() / wide.norm()).item<double>();
}

// The dense twin multiplies with the packed one's own weights, so that both give the same result.
std::vector<Pair> make_pairs(const Setting& setting, Shape shape, int bits) {
  const int64_t copies = copies_for(shape.rows * shape.columns * bits / 8, setting.small);
  std::vector<Pair> pairs;
  for (int64_t i = 0; i < copies; ++i) {
    const auto packed = random_packed(shape.rows, shape.columns, bits, setting.device);
    pairs.push_back({std::make_unique<PackedLinear>(packed),
                     std::make_unique<DenseLinear>(packed->dequantize(at::kBFloat16))});
  }
  return pairs;
}

// One direction of one shape: times of both, and how far the packed result is from the dense one.
nlohmann::json compare(const Setting& setting, const std::vector<Pair>& pairs, Shape shape, int64_t tokens,
                       int bits, bool backward) {
  const at::Tensor x = at::randn({tokens, backward ? shape.rows : shape.columns},
                                 at::TensorOptions(setting.device).dtype(at::kBFloat16));
  const auto apply = [&](const Linear& linear) {
    return backward ? linear.input_gradient(x) : linear.forward(x);
  };
  const double error = relative_error(apply(*pairs[0].packed), apply(*pairs[0].dense));
  QSLAW_CHECK(error < kMostError);
  const auto pair_of = [&](int64_t call) -> const Pair& {
    return pairs[static_cast<size_t>(call) % pairs.size()];
  };
  const Timing packed = time_calls(setting.device, [&](int64_t call) { apply(*pair_of(call).packed); });
  const Timing dense = time_calls(setting.device, [&](int64_t call) { apply(*pair_of(call).dense); });
  nlohmann::json entry = result(backward ? "packed_input_gradient" : "packed_product", packed);
  const double products = 2.0 * static_cast<double>(tokens * shape.rows * shape.columns);
  entry.update({{"bits", bits},
                {"rows", shape.rows},
                {"columns", shape.columns},
                {"tokens", tokens},
                {"dense_seconds", dense.median},
                {"teraflops", products / packed.median / 1e12},
                {"dense_teraflops", products / dense.median / 1e12},
                {"weight_gigabytes_per_second",
                 static_cast<double>(pairs[0].packed->weight_bytes()) / packed.median / 1e9},
                {"speed_of_dense", dense.median / packed.median},
                {"relative_error", error}});
  return entry;
}

}  // namespace

nlohmann::json product_results(const Setting& setting) {
  at::NoGradGuard no_grad;
  nlohmann::json results = nlohmann::json::array();
  const std::vector<int64_t> few = {1, 8}, many = setting.small ? std::vector<int64_t>{64}
                                                                : std::vector<int64_t>{512, 4096};
  for (const Shape shape : shapes(setting.small)) {
    for (const int bits : {4, 2}) {
      const std::vector<Pair> pairs = make_pairs(setting, shape, bits);
      for (const int64_t tokens : few)
        results.push_back(compare(setting, pairs, shape, tokens, bits, false));
      for (const int64_t tokens : many) {
        results.push_back(compare(setting, pairs, shape, tokens, bits, false));
        results.push_back(compare(setting, pairs, shape, tokens, bits, true));
      }
    }
  }
  return results;
}

}  // namespace qslaw::bench
