// On a GPU LibTorch's operators give the same bits each time (docs/architecture.md, "Reproducibility").
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gpu_case.h"
#include "quant_case.h"

using namespace qslaw;

TEST_CASE("load_cuda makes LibTorch repeatable", "[gpu]") {
  if (!has_gpu()) return;
  const at::Context& context = at::globalContext();
  CHECK(context.deterministicAlgorithms());
  CHECK_FALSE(context.deterministicAlgorithmsWarnOnly());
  CHECK_FALSE(context.deterministicFillUninitializedMemory());
  CHECK(context.allowBF16ReductionCuBLAS() != at::CuBLASReductionOption::AllowReducedPrecisionWithSplitK);
  CHECK(context.allowFP16ReductionCuBLAS() != at::CuBLASReductionOption::AllowReducedPrecisionWithSplitK);
  const char* workspace = std::getenv("CUBLAS_WORKSPACE_CONFIG");
  REQUIRE(workspace != nullptr);
  CHECK((std::string(workspace) == ":4096:8" || std::string(workspace) == ":16:8"));
}

TEST_CASE("attention's gradients on a GPU have the same bits each time", "[gpu]") {
  if (!has_gpu()) return;
  const auto dtype = GENERATE(at::kBFloat16, at::kFloat);  // flash attention, and the memory-efficient one
  at::manual_seed(4);
  const auto draw = [&] { return at::randn({2, 8, 1500, 64}).to(dtype).to(at::kCUDA); };
  const std::vector<at::Tensor> inputs = {draw(), draw(), draw()};
  const at::Tensor dY = draw();
  const auto gradients = [&] {
    std::vector<at::Tensor> leaves, found;
    for (const at::Tensor& input : inputs)
      leaves.push_back(input.detach().clone().requires_grad_(true));
    const at::Tensor y = at::scaled_dot_product_attention(leaves[0], leaves[1], leaves[2], {}, 0.0,
                                                          /*is_causal=*/true);
    torch::autograd::backward({y}, {dY});
    for (const at::Tensor& leaf : leaves)
      found.push_back(leaf.grad().cpu());
    return found;
  };
  const std::vector<at::Tensor> first = gradients();
  for (int run = 0; run < 4; ++run) {
    const std::vector<at::Tensor> again = gradients();
    for (size_t i = 0; i < first.size(); ++i)
      CHECK(equal_bits(again[i], first[i]));
  }
}

TEST_CASE("gradients of picked rows on a GPU have the same bits each time", "[gpu]") {
  if (!has_gpu()) return;
  at::manual_seed(5);
  const at::Tensor rows = at::randint(0, 10, {4000}, at::kLong).to(at::kCUDA);  // each some 400 times
  const at::Tensor dY = at::randn({4000, 64}).to(at::kCUDA);
  const auto gradient = [&] {
    const at::Tensor x = at::zeros({10, 64}, dY.options()).requires_grad_(true);
    torch::autograd::backward({x.index_select(0, rows)}, {dY});
    return x.grad().cpu();
  };
  const at::Tensor first = gradient();
  for (int run = 0; run < 4; ++run)
    CHECK(equal_bits(gradient(), first));
}
