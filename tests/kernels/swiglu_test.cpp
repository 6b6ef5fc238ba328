#include "kernels/swiglu.h"

#include "step_case.h"

using namespace qslaw;

namespace {

const Operator kFused = [](const Tensors& in) { return swiglu(in[0], in[1]); };
const Operator kComposed = [](const Tensors& in) { return swiglu_reference(in[0], in[1]); };

}  // namespace

TEST_CASE("SwiGLU and its gradients agree with the separate operators") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const auto shape = GENERATE(std::vector<int64_t>{2, 3, 64}, std::vector<int64_t>{1, 1},
                              std::vector<int64_t>{131, 257}, std::vector<int64_t>{0, 16});
  INFO("dtype " << dtype << ", shape " << shape);
  at::manual_seed(1);
  const Tensors inputs = {(at::randn(shape) * 4.0).to(dtype), at::randn(shape).to(dtype)};
  const at::Tensor dY = at::randn(shape).to(dtype);
  // exp within 2 last bits of float32, a bit of the narrow dtype where that crosses its rounding.
  require_close(run_operator(kFused, inputs, dY), run_operator(kComposed, inputs, dY),
                dtype == at::kFloat ? 4.0 : 1.0);
}

TEST_CASE("SwiGLU of extreme gates") {
  const at::Tensor gate = at::tensor({-1e30F, -200.0F, -88.0F, 0.0F, 88.0F, 1e30F, NAN});
  const at::Tensor y = swiglu(gate, at::ones_like(gate));
  const at::Tensor expected = swiglu_reference(gate, at::ones_like(gate));
  for (int64_t i = 1; i < 6; ++i)
    CHECK(y[i].item<double>() == Approx(expected[i].item<double>()).margin(1e-30));
  CHECK(std::isnan(y[6].item<double>()));
}

TEST_CASE("SwiGLU: central differences, the same bits every time") {
  at::manual_seed(2);
  const Tensors inputs = {at::randn({3, 5}) * 2.0, at::randn({3, 5})};
  require_central_differences(kFused, inputs, at::randn({3, 5}), 0x1p-7F, 1e-3);
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  require_reproducible(kFused, {at::randn({300, 200}).to(dtype), at::randn({300, 200}).to(dtype)},
                       at::randn({300, 200}).to(dtype));
}
