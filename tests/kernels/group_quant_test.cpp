// Group-wise quantization of tensors: packing, equality of the paths, gradients, element types and refusals.
#include "kernels/group_quant.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "absmax_case.h"
#include "core/error.h"
#include "io/safetensors.h"
#include "kernels/isa_case.h"
#include "kernels/quant_math.h"

using namespace qslaw;

namespace {

constexpr int kBits[] = {2, 3, 4, 8};
constexpr int64_t kGroups[] = {32, 64, 128};

struct Sample {
  at::Tensor weight_NK, gamma, gradient_NK;
  GroupGrid grid;
};

Sample make_sample(int bits, int64_t group_size, at::ScalarType dtype = at::kFloat) {
  at::Generator generator =
      at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(bits * 1000 + group_size));
  Sample s;
  s.weight_NK = (at::randn({5, 3 * group_size}, generator) * 0.05).to(dtype);
  s.weight_NK[0].abs_();  // one sign
  s.weight_NK[1].zero_();
  s.grid = grid_from_range(group_range(s.weight_NK, group_size), bits);
  s.gamma = 1 + 0.3 * (at::rand(s.grid.scale.sizes(), generator) - 0.5);
  s.gradient_NK = at::randn(s.weight_NK.sizes(), generator);
  return s;
}

template <typename Fn>
void for_each_format(Fn fn) {
  for (const int bits : kBits) {
    for (const int64_t G : kGroups) {
      INFO("bits " << bits << ", group " << G);
      fn(bits, G);
    }
  }
}

// A per-group tensor [N, K/G] repeated to [N, K].
at::Tensor spread(const at::Tensor& per_group, int64_t group_size) {
  return per_group.to(at::kFloat).repeat_interleave(group_size, 1);
}

// Code k of a row, bit by bit from the documented layout.
int code_from_stream(const uint8_t* row, int64_t k, int bits) {
  int code = 0;
  for (int j = 0; j < bits; ++j) {
    const int64_t bit = k * bits + j;
    code |= (row[bit / 8] >> (bit % 8) & 1) << j;
  }
  return code;
}

// Codes by LibTorch's own elementwise operations, [N, K] bytes.
at::Tensor codes_by_torch(const Sample& s, int bits, int64_t G) {
  const at::Tensor position = at::round(s.weight_NK.to(at::kFloat) / spread(s.grid.scale * s.gamma, G));
  return at::clamp(position + spread(s.grid.zero, G), 0, (1 << bits) - 1).to(at::kByte);
}

}  // namespace

TEST_CASE("packed codes follow the documented bit stream") {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{3});
  for (const int bits : kBits) {
    const at::Tensor codes = at::randint(0, 1 << bits, {3, 40}, generator).to(at::kByte);
    const at::Tensor packed = pack_codes(codes, bits);
    REQUIRE(packed.sizes() == at::IntArrayRef({3, 5 * bits}));
    for (int64_t row = 0; row < 3; ++row) {
      const uint8_t* stream = packed.const_data_ptr<uint8_t>() + row * packed.size(1);
      for (int64_t k = 0; k < 40; ++k)
        REQUIRE(code_from_stream(stream, k, bits) == codes[row][k].item<int>());
    }
    REQUIRE(at::equal(unpack_codes(packed, bits, 40), codes));
  }
}

TEST_CASE("group_range and grid_from_range equal the formulas in LibTorch") {
  for_each_format([](int bits, int64_t G) {
    const Sample s = make_sample(bits, G);
    const at::Tensor grouped = s.weight_NK.view({5, 3, G});
    const GroupRange range = group_range(s.weight_NK, G);
    REQUIRE(at::equal(range.high, grouped.amax(-1)));
    REQUIRE(at::equal(range.low, grouped.amin(-1)));
    const at::Tensor scale = at::clamp((range.high - range.low) / ((1 << bits) - 1), 1e-5, 1e4);
    REQUIRE(at::equal(s.grid.scale, scale));
    REQUIRE(at::equal(s.grid.zero.to(at::kFloat), at::round(at::clamp(-range.low / scale, -1e4, 1e4))));
  });
}

TEST_CASE("quantize_packed equals LibTorch's operations for every element type") {
  for_each_format([](int bits, int64_t G) {
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const Sample s = make_sample(bits, G, dtype);
      const at::Tensor packed = quantize_packed(s.weight_NK, s.grid, s.gamma, bits);
      REQUIRE(at::equal(unpack_codes(packed, bits, s.weight_NK.size(1)), codes_by_torch(s, bits, G)));
      Sample plain = s;
      plain.gamma = at::ones_like(s.gamma);
      REQUIRE(at::equal(quantize_packed(s.weight_NK, s.grid, {}, bits),
                        quantize_packed(s.weight_NK, s.grid, plain.gamma, bits)));
    }
  });
}

TEST_CASE("fake_quantize equals dequantize of quantize, in every element type") {
  for_each_format([](int bits, int64_t G) {
    for (const auto source : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const Sample s = make_sample(bits, G, source);
      const at::Tensor packed = quantize_packed(s.weight_NK, s.grid, s.gamma, bits);
      const at::Tensor values =
          (codes_by_torch(s, bits, G).to(at::kFloat) - spread(s.grid.zero, G)) * spread(s.grid.scale, G);
      for (const auto target : {at::kFloat, at::kBFloat16, at::kHalf}) {
        REQUIRE(at::equal(fake_quantize(s.weight_NK, s.grid, s.gamma, bits, target), values.to(target)));
        REQUIRE(at::equal(dequantize_packed(packed, s.grid, bits, target), values.to(target)));
      }
    }
  });
}

TEST_CASE("gamma_gradient equals autograd through the straight-through rounding") {
  for_each_format([](int bits, int64_t G) {
    const Sample s = make_sample(bits, G);
    at::Tensor gamma = s.gamma.clone().requires_grad_();
    const at::Tensor ratio = s.weight_NK / (s.grid.scale * gamma).repeat_interleave(G, 1);
    const at::Tensor position = ratio + (at::round(ratio) - ratio).detach() + spread(s.grid.zero, G);
    const at::Tensor restored =
        (at::clamp(position, 0, (1 << bits) - 1) - spread(s.grid.zero, G)) * spread(s.grid.scale, G);
    (restored * s.gradient_NK).sum().backward();
    // Sums of up to 128 float32 terms of about 0.05, each a few roundings off, in another order: 128 * 4 *
    // 2^-24 * 0.05.
    REQUIRE(at::allclose(gamma_gradient(s.weight_NK, s.grid, s.gamma, s.gradient_NK, bits), gamma.grad(),
                         1e-5, 2e-6));
  });
}

TEST_CASE("gamma_gradient adds in the documented order on every instruction set") {
  // The same sum with scalar code of the baseline instruction set: 16 partial sums, then halves.
  const Sample s = make_sample(4, 64);
  const at::Tensor result = gamma_gradient(s.weight_NK, s.grid, s.gamma, s.gradient_NK, 4);
  const float* w = s.weight_NK.const_data_ptr<float>();
  const float* gradient = s.gradient_NK.const_data_ptr<float>();
  for (int64_t group = 0; group < result.numel(); ++group) {
    const float gamma = s.gamma.const_data_ptr<float>()[group],
                scale = s.grid.scale.const_data_ptr<float>()[group];
    const float zero = s.grid.zero.const_data_ptr<int16_t>()[group];
    float sums[16] = {};
    for (int64_t i = 0; i < 64; ++i) {
      const int64_t k = group * 64 + i;
      sums[i % 16] += gamma_term(w[k], grid_position(w[k], scale * gamma, zero), 15, gradient[k]);
    }
    for (int width = 8; width > 0; width /= 2) {
      for (int lane = 0; lane < width; ++lane)
        sums[lane] += sums[lane + width];
    }
    REQUIRE(result.const_data_ptr<float>()[group] == -sums[0] / (gamma * gamma));
  }
}

TEST_CASE("gamma_gradient reads 16-bit gradients as the values they are") {
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    const Sample s = make_sample(3, 64);
    const at::Tensor rounded = s.gradient_NK.to(dtype);
    for_each_isa([&] {
      REQUIRE(at::equal(gamma_gradient(s.weight_NK, s.grid, s.gamma, rounded, 3),
                        gamma_gradient(s.weight_NK, s.grid, s.gamma, rounded.to(at::kFloat), 3)));
    });
  }
}

TEST_CASE("dequantize_table looks codes up and scales them") {
  for (const int bits : kBits) {
    const Sample s = make_sample(bits, 64);
    const at::Tensor packed = quantize_packed(s.weight_NK, s.grid, s.gamma, bits);
    const at::Tensor table = at::linspace(-1, 1, 1 << bits).pow(3).contiguous(), absmax = s.grid.scale * 3;
    const at::Tensor values = table.index({codes_by_torch(s, bits, 64).to(at::kLong)}) * spread(absmax, 64);
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      REQUIRE(
          at::equal(dequantize_table(packed, listed_absmax(absmax), table, bits, dtype), values.to(dtype)));
    }
  }
}

TEST_CASE("dequantize_table decodes the absmax of the rows it is asked for, wherever they begin among 256") {
  static constexpr int64_t N = 71;
  for_each_format([](int bits, int64_t G) {
    at::Generator generator =
        at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(bits * 1000 + G));
    const at::Tensor codes = at::randint(0, 1 << bits, {N, 11 * G}, generator).to(at::kByte);
    const at::Tensor table = at::linspace(-1, 1, 1 << bits).pow(3).contiguous();
    const AbsmaxCodes absmax = random_absmax(N, 11, generator);
    const at::Tensor packed = pack_codes(codes, bits);
    const at::Tensor values = table.index({codes.to(at::kLong)}) * spread(absmax_values(absmax), G);
    for_each_isa([&] {
      for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
        REQUIRE(at::equal(dequantize_table(packed, absmax, table, bits, dtype), values.to(dtype)));
        for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 0}, {5, 45}, {23, 24}, {46, N}}) {
          at::Tensor out = at::empty({end - begin, 11 * G}, dtype);
          dequantize_table_into(packed, absmax, table, bits, begin, end, out);
          REQUIRE(at::equal(out, values.narrow(0, begin, end - begin).to(dtype)));
        }
      }
    });
  });
}

TEST_CASE("a matrix of many rows, split over threads, equals its rows one by one") {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{4});
  const at::Tensor weight = at::randn({1201, 128}, generator);
  const GroupGrid grid = grid_from_range(group_range(weight, 32), 3);
  const at::Tensor packed = quantize_packed(weight, grid, {}, 3);
  for (const int64_t row : {0, 255, 256, 600, 1200}) {
    const auto one = [&](const at::Tensor& t) { return t.slice(0, row, row + 1).contiguous(); };
    REQUIRE(at::equal(quantize_packed(one(weight), {one(grid.scale), one(grid.zero)}, {}, 3), one(packed)));
  }
}

TEST_CASE("learned clipping and gamma agree with the golden file") {
  const auto file = read_safetensors(QSLAW_FIXTURES "/quant/lwc.safetensors");
  for_each_format([&](int bits, int64_t G) {
    const std::string prefix = concat("b", bits, "g", G, ".");
    const auto get = [&](const char* name) { return file.at(prefix + name); };
    const at::Tensor weight = get("weight"), gamma = get("gamma");
    GroupRange range = group_range(weight, G);
    range.high.mul_(at::sigmoid(get("u"))), range.low.mul_(at::sigmoid(get("l")));
    const GroupGrid clipped = grid_from_range(range, bits);
    // exp() may differ in the last place between CPUs; the codes below start from the file's own steps.
    REQUIRE(at::allclose(clipped.scale, get("step"), 1e-6, 0));
    REQUIRE(at::equal(clipped.zero, get("zero")));

    const GroupGrid grid{get("step"), get("zero")};
    const auto codes = [&](const at::Tensor& g) {
      return unpack_codes(quantize_packed(weight, grid, g, bits), bits, weight.size(1));
    };
    REQUIRE(at::equal(codes(gamma), get("codes")));
    REQUIRE(at::equal(codes({}), get("plain_codes")));
    REQUIRE(at::equal(fake_quantize(weight, grid, gamma, bits, at::kFloat), get("restored")));
    REQUIRE(at::equal(fake_quantize(weight, grid, {}, bits, at::kFloat), get("plain_restored")));
    const at::Tensor gradient = get("dy").t().matmul(get("x")).contiguous();
    // Float32 sums of up to 128 terms of about 0.1 over gamma^2 >= 0.36, in another order: 128 * 4 * 2^-24 *
    // 0.1 / 0.36.
    REQUIRE(at::allclose(gamma_gradient(weight, grid, gamma, gradient, bits), get("dgamma"), 1e-5, 1e-5));
  });
}

TEST_CASE("unsupported shapes are refused by name") {
  const auto message = [](int64_t columns, int bits, int64_t G) -> std::string {
    try {
      check_group_shape("layers.0.q", columns, bits, G);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  REQUIRE(message(256, 4, 128).empty());
  REQUIRE(message(256, 5, 128).find("expected bits 2, 3, 4 or 8, got 5") != std::string::npos);
  REQUIRE(message(256, 4, 100).find("got 100") != std::string::npos);
  REQUIRE(message(200, 4, 128).find("layers.0.q") != std::string::npos);
}
