// CUDA graphs on a GPU, where there is one.
#include <ATen/ATen.h>

#include "gpu_case.h"
#include "kernels/cuda_graph.h"

using namespace qslaw;

namespace {

// Adds one to `x` and keeps twice that in `y`.
std::function<void()> count_up(at::Tensor& x, at::Tensor& y) {
  return [&] {
    x.add_(1);
    y = x * 2;
  };
}

// The graph's function was not done while it was recorded, and is with every replay.
void require_counts(at::Tensor& x, const at::Tensor& beside) {
  at::Tensor y;
  const float before = x[0].item<float>();
  CudaGraph graph;
  graph.record(beside, count_up(x, y));
  REQUIRE(graph.is_recorded());
  CHECK(x[0].item<float>() == before);
  for (int i = 1; i <= 3; ++i) {
    graph.replay();
    CHECK(at::equal(y.cpu(), at::full({5}, 2 * (before + static_cast<float>(i)))));
  }
}

}  // namespace

TEST_CASE("a CUDA graph does again what was recorded", "[gpu][graph][first]") {
  if (!has_gpu()) return;
  at::Tensor x = at::zeros({5}, at::kCUDA), y;
  count_up(x, y)();
  for (int graph = 0; graph < 3; ++graph)
    require_counts(x, x);
  CHECK(x[4].item<float>() == 10.0F);
}

TEST_CASE("a CUDA graph that cannot be recorded leaves no trace", "[gpu][graph]") {
  if (!has_gpu()) return;
  at::Tensor x = at::zeros({5}, at::kCUDA), y;
  count_up(x, y)();
  CudaGraph graph;
  const auto fails = [&] {
    x.add_(100);
    fail("test", "expected to be told");
  };
  CHECK_THROWS_WITH(graph.record(x, fails), "[test] expected to be told");
  CHECK_FALSE(graph.is_recorded());
  require_counts(x, x);
  // Waiting for a value that recording does not compute.
  CHECK_THROWS(graph.record(x, [&] { x.add_(x.sum().item<float>()); }));
  CHECK_FALSE(graph.is_recorded());
  CHECK_THROWS_AS(graph.replay(), InternalError);
  require_counts(x, x);
  CHECK(x[4].item<float>() == 7.0F);
  CHECK_NOTHROW(at::randn({4}, at::kCUDA));
}
