// Dense weights that stay for a backward pass which follows at once: the same bits, and the gradient
// dequantizes nothing.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <catch2/catch.hpp>

#include "adapted_decoder.h"
#include "compare_tensors.h"
#include "kernels/gpu_case.h"
#include "packed_case.h"

using namespace qslaw;

namespace {

// On 4 bits.
AdaptedDecoder packed_decoder(at::Device device, at::ScalarType dtype, bool keeps_dense) {
  const MakeSeededLinear make = [&](const LinearSpec&, const at::Tensor& weight_NK) {
    const auto packed = std::make_shared<PackedWeight>(pack(weight_NK, 4, 32).to(device));
    return std::make_unique<PackedLinear>(packed, keeps_dense);
  };
  return adapted_decoder(device, make, dtype);
}

// Of two rows of so many tokens.
std::vector<at::Tensor> hidden_and_gradients(const AdaptedDecoder& adapted, int64_t tokens,
                                             Checkpointing checkpointing) {
  const Llava& model = adapted.model;
  const auto random = [&](uint64_t seed) {
    return random_normal({2, tokens, model.config.language.width}, 1.0, seed).to(model.device, model.dtype);
  };
  const at::Tensor x = random(1).requires_grad_(true);
  const at::Tensor y = llama_hidden(model.language, x, checkpointing);
  torch::autograd::backward({y}, {random(2)});
  std::vector<at::Tensor> results = {y.detach(), x.grad()};
  for (const at::Tensor& leaf : adapted.leaves)
    results.push_back(leaf.grad());
  return results;
}

void require_same_kept(at::Device device, at::ScalarType dtype, Checkpointing checkpointing) {
  // Too many tokens for the products that read packed codes alone, and few.
  for (const int64_t tokens : {40, 1}) {
    INFO("2 x " << tokens << " tokens, checkpointing " << static_cast<int>(checkpointing));
    const auto run = [&](bool keeps_dense) {
      return hidden_and_gradients(packed_decoder(device, dtype, keeps_dense), tokens, checkpointing);
    };
    const auto kept = run(true);
    REQUIRE(kept.size() == 2 + 2 * 14);
    require_same_bits(kept, run(false));
  }
}

constexpr int64_t kRows = 48, kColumns = 128, kTokens = 80;

// The gradient of x, all codes being 0 once the forward pass is over, the second one where there is one. So
// it shows whether it is made of the codes or of a dense weight from before.
at::Tensor gradient_without_codes(const Linear& linear, PackedWeight& packed, const at::Tensor& x,
                                  const at::Tensor& dY, bool checkpointed) {
  const at::Tensor leaf = x.clone().requires_grad_(true);
  int runs = 0;
  const auto part = [&](const at::Tensor& input) {
    at::Tensor y = linear.forward(input);
    if (++runs == (checkpointed ? 2 : 1)) packed.codes.zero_();
    return y;
  };
  const at::Tensor y = checkpointed ? run_checkpointed(part, leaf) : part(leaf);
  torch::autograd::backward({y}, {dY});
  REQUIRE(runs == (checkpointed ? 2 : 1));
  return leaf.grad();
}

enum class Stays { no, yes };

// `make` gives the linear over a packed weight.
template <typename Make>
void check_gradient(at::Device device, bool nf4, bool checkpointed, const Make& make, Stays expected) {
  INFO((nf4 ? "NF4" : "uniform") << (checkpointed ? ", checkpointed" : ""));
  const at::Tensor weight = random_normal({kRows, kColumns}, 1.0, 1);
  const auto packed =
      std::make_shared<PackedWeight>((nf4 ? pack_nf4(weight) : pack(weight, 4, 32)).to(device));
  const at::Tensor x = random_normal({kTokens, kColumns}, 1.0, 2).to(device),
                   dY = random_normal({kTokens, kRows}, 1.0, 3).to(device);
  const std::unique_ptr<Linear> linear = make(packed);
  const auto by_the_codes = [&] { return at::matmul(dY, packed->dequantize(at::kFloat)); };
  const at::Tensor before = by_the_codes();
  const at::Tensor actual = gradient_without_codes(*linear, *packed, x, dY, checkpointed);
  const at::Tensor after = by_the_codes();
  REQUIRE(relative_error(after, before) > 0.1);
  // Float32 sums of 48 terms in another order: a dozen roundings of 6e-8, of the largest value.
  CHECK(relative_error(actual, expected == Stays::yes ? before : after) < 1e-5);
}

// Its B is 0: to the gradient of x it adds nothing.
std::unique_ptr<Linear> with_adapter(std::unique_ptr<Linear> base, at::Device device) {
  const LinearSpec spec{"model.layers.0.mlp.up_proj", 0, kRows, kColumns};
  return std::make_unique<LoraLinear>(std::move(base), spec, LoraOptions{4, 8.0, 0.0},
                                      std::make_shared<DropoutKey>(), 2, device);
}

}  // namespace

TEST_CASE("dense weights that stay for the backward pass give the same bits") {
  const auto checkpointing = GENERATE(Checkpointing::feed_forward, Checkpointing::block);
  require_same_kept(at::kCPU, GENERATE(at::kFloat, at::kBFloat16), checkpointing);
}

TEST_CASE("a gradient dequantizes nothing where the dense weight has stayed, and only there") {
  const bool nf4 = GENERATE(false, true), adapted = GENERATE(false, true), keeps = GENERATE(false, true);
  const bool checkpointed = GENERATE(false, true);
  INFO((adapted ? "adapted" : "alone") << (keeps ? ", keeps" : ""));
  const auto make = [&](const std::shared_ptr<PackedWeight>& packed) {
    std::unique_ptr<Linear> linear = std::make_unique<PackedLinear>(packed, keeps);
    return adapted ? with_adapter(std::move(linear), at::kCPU) : std::move(linear);
  };
  // Without checkpointing every linear's would stay from the forward pass on: the whole model's.
  check_gradient(at::kCPU, nf4, checkpointed, make, keeps && checkpointed ? Stays::yes : Stays::no);
}

TEST_CASE("a dense weight stays only where that saves a dequantization and is asked for") {
  const auto shared = [](int64_t rows, int64_t columns) {
    return std::make_shared<PackedWeight>(pack(random_normal({rows, columns}, 1.0, 4), 4, 32));
  };
  const auto packed = shared(kRows, kColumns);
  const at::Tensor x = at::zeros({kTokens, kColumns});
  const PackedLinear keeps(packed, true);
  CHECK_FALSE(keeps.weight_for_both(x).defined());  // the backward pass is elsewhere
  const BackwardFollows follows;
  CHECK(at::equal(keeps.weight_for_both(x), packed->dequantize(at::kFloat)));
  CHECK_FALSE(keeps.weight_for_both(x.narrow(0, 0, 1)).defined());  // its product reads codes
  CHECK_FALSE(PackedLinear(packed).weight_for_both(x).defined());   // by default not on the CPU
  const PackedLinear two_tiles(shared(129, 32768), true);           // more than kTileElements
  CHECK_FALSE(two_tiles.weight_for_both(at::zeros({kTokens, 32768})).defined());
}

TEST_CASE("a GPU's dense weights stay for the backward pass, with the same bits", "[gpu]") {
  if (!has_gpu()) return;
  for (const auto checkpointing : {Checkpointing::feed_forward, Checkpointing::block}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16})
      require_same_kept(kGpu, dtype, checkpointing);
  }
  const auto make = [](const std::shared_ptr<PackedWeight>& packed) {
    return with_adapter(std::make_unique<PackedLinear>(packed), kGpu);
  };
  for (const bool nf4 : {false, true})
    check_gradient(kGpu, nf4, true, make, Stays::yes);
}
