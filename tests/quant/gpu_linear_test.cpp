// Packed and scale-learning linears on a GPU, where there is one, against the same in float32 on the CPU.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "compare_tensors.h"
#include "kernels/gpu_case.h"
#include "kernels/packed_product.h"
#include "model/lora.h"
#include "packed_case.h"
#include "quant/scale_linear.h"
#include "seeded_decoder.h"

using namespace qslaw;

namespace {

// Float32 sums of some hundred terms in another order: a dozen roundings of 6e-8, of the largest value.
constexpr double kRoundings = 1e-5;

// A linear's result and what comes back to its input and, where it trains one, to `trained`.
std::vector<at::Tensor> run_linear(const Linear& linear, const at::Tensor& x, const at::Tensor& dY,
                                   const at::Tensor& trained = {}) {
  const at::Tensor leaf = x.clone().requires_grad_(true);
  const at::Tensor y = linear.forward(leaf);
  std::vector<at::Tensor> leaves = {leaf};
  if (trained.defined()) leaves.push_back(trained);
  std::vector<at::Tensor> results = torch::autograd::grad({y}, leaves, {dY});
  results.push_back(y.detach());
  return results;
}

void require_close(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected,
                   double limit) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO("result " << i);
    CHECK(actual[i].is_cuda());
    CHECK(relative_error(actual[i], expected[i]) < limit);
  }
}

// The same on both devices, and on the GPU twice the same bits.
void compare_packed(const PackedWeight& weight, int64_t tokens, double limit) {
  const at::Tensor x = random_normal({tokens, weight.columns()}, 1.0, 1),
                   dY = random_normal({tokens, weight.rows()}, 1.0, 2);
  const auto shared = std::make_shared<PackedWeight>(weight);
  const auto on_gpu = std::make_shared<PackedWeight>(weight.to(kGpu));
  const auto expected = run_linear(PackedLinear(shared), x, dY);
  const PackedLinear linear(on_gpu);
  const auto actual = run_linear(linear, x.to(kGpu), dY.to(kGpu));
  require_close(actual, expected, limit);
  require_same_bits(run_linear(linear, x.to(kGpu), dY.to(kGpu)), actual);
}

bool is_few(int64_t tokens, Codes kind, int bits) {
  return packed_product_pays(at::empty({tokens, 128}, kGpu), kind, bits);
}

}  // namespace

TEST_CASE("a GPU's packed linear agrees with the CPU's, with few tokens and with many", "[gpu][shared]") {
  if (!has_gpu()) return;
  const int bits = GENERATE(2, 3, 4, 8);
  const at::Tensor weight = random_normal({67, 128}, 1.0, 3);
  REQUIRE(is_few(1, Codes::uniform, bits));
  REQUIRE_FALSE(is_few(300, Codes::uniform, bits));
  for (const int64_t tokens : {1, 5, 16, 33, 300}) {
    INFO(bits << " bits, " << tokens << " tokens");
    compare_packed(pack(weight, bits, 64), tokens, kRoundings);
  }
}

TEST_CASE("a GPU's NF4 linear agrees with the CPU's, with few tokens and with many", "[gpu][shared]") {
  if (!has_gpu()) return;
  const PackedWeight weight = pack_nf4(random_normal({67, 128}, 1.0, 3));
  REQUIRE(is_few(1, Codes::table, 4));
  REQUIRE_FALSE(is_few(300, Codes::table, 4));
  for (const int64_t tokens : {1, 5, 16, 33, 300}) {
    INFO(tokens << " tokens");
    // The CPU's levels of few tokens have an error of 2^-17 of their own (packed_product.h).
    compare_packed(weight, tokens, kRoundings + 0x1p-17);
  }
}

TEST_CASE("a GPU's packed linears with adapters that multiply together give what each gives by itself",
          "[gpu][shared]") {
  if (!has_gpu()) return;
  const bool nf4 = GENERATE(false, true);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  INFO((nf4 ? "NF4, " : "4 bits, ") << toString(dtype));
  std::vector<std::unique_ptr<Linear>> packed, adapted;
  for (const int64_t N : {67, 16, 130}) {
    const at::Tensor values = random_normal({N, 128}, 1.0, static_cast<uint64_t>(N));
    const auto weight =
        std::make_shared<PackedWeight>((nf4 ? pack_nf4(values) : pack(values, 4, 64)).to(kGpu));
    packed.push_back(std::make_unique<PackedLinear>(weight));
    auto layer = std::make_unique<LoraLinear>(
        std::make_unique<PackedLinear>(weight), LinearSpec{"linear_" + std::to_string(N), 0, N, 128},
        LoraOptions{4, 8.0, 0.0}, std::make_shared<DropoutKey>(), 1, kGpu);
    layer->b_NR().fill_(0.05);
    adapted.push_back(std::move(layer));
  }
  at::NoGradGuard no_grad;
  for (const auto* linears : {&packed, &adapted}) {
    for (const int64_t tokens : {1, 5, 16, 33, 300}) {
      INFO(tokens << " tokens" << (linears == &adapted ? ", LoRA" : ""));
      const at::Tensor x = random_normal({tokens, 128}, 1.0, 9).to(kGpu, dtype);
      const std::vector<const Linear*> all = {(*linears)[0].get(), (*linears)[1].get(), (*linears)[2].get()};
      std::vector<at::Tensor> expected;
      for (const Linear* linear : all)
        expected.push_back(linear->forward(x));
      require_same_bits(forward_together(all, x), expected);
    }
  }
}

TEST_CASE("a GPU's packed linear of several tiles agrees with the CPU's", "[gpu]") {
  if (!has_gpu()) return;
  // More than 2^22 weights. Sums of 32,768 terms: ten times the roundings of 128.
  compare_packed(pack(random_normal({140, 32768}, 1.0, 4), 4, 128), 300, 10 * kRoundings);
}

TEST_CASE("a GPU's scale learning agrees with the CPU's: products, gradients, folded codes", "[gpu]") {
  if (!has_gpu()) return;
  const int bits = GENERATE(2, 3, 4, 8);
  const int64_t group = GENERATE(32, 64);
  INFO(bits << " bits, groups of " << group);
  const at::Tensor weight = random_normal({67, 192}, 1.0, 5);
  const GroupGrid grid = grid_from_range(group_range(weight, group), bits);
  const at::Tensor gamma = 1.0 + 0.1 * random_normal(grid.scale.sizes().vec(), 1.0, 6);
  const LinearSpec spec{"model.layers.7.mlp.up_proj", 7, 67, 192};
  const auto make = [&](at::Device device) {
    ScaleLinear linear(spec, weight.to(device), {grid.scale.to(device), grid.zero.to(device)}, bits);
    at::NoGradGuard no_grad;
    linear.gamma().copy_(gamma);
    return linear;
  };
  ScaleLinear on_cpu = make(at::kCPU), on_gpu = make(kGpu);
  const at::Tensor x = random_normal({2, 20, 192}, 1.0, 7), dY = random_normal({2, 20, 67}, 1.0, 8);
  const auto expected = run_linear(on_cpu, x, dY, on_cpu.gamma());
  const auto run = [&] { return run_linear(on_gpu, x.to(kGpu), dY.to(kGpu), on_gpu.gamma()); };
  const auto actual = run();
  require_close(actual, expected, kRoundings);
  require_same_bits(run(), actual);
  CHECK(at::equal(on_gpu.fold(group).codes.cpu(), on_cpu.fold(group).codes));
}
