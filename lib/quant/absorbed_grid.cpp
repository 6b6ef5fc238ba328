#include "quant/absorbed_grid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "core/error.h"
#include "io/dtypes.h"
#include "kernels/parallel.h"
#include "quant/group_lattice.h"

namespace qslaw {
namespace {

constexpr uint16_t kMinusZero = 0x8000;  // of both types
constexpr int kMostValues = 16;          // of a group of 4 bits
constexpr const char* kNotFinite = ": expected finite weights, got NaN or infinity";
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
// Groups that are worth a thread: many more than its table of values costs.
constexpr int64_t kGrain = 1 << 12;

float to_float(uint16_t bits, at::ScalarType dtype) {
  if (dtype == at::kHalf) return c10::Half(bits, c10::Half::from_bits());
  return c10::BFloat16(bits, c10::BFloat16::from_bits());
}

// The different values of one group after another.
class DistinctValues {
 public:
  DistinctValues(at::ScalarType dtype, size_t most) : dtype_(dtype), most_(most), seen_in_(1 << 16, 0) {}

  // By rising magnitude; empty when there are more than `most`, or one is not finite.
  std::span<const float> of(const uint16_t* weights, int64_t count) {
    ++group_;
    count_ = 0;
    for (int64_t i = 0; i < count; ++i) {
      const uint16_t bits = weights[i] == kMinusZero ? 0 : weights[i];
      if (seen_in_[bits] == group_) continue;
      seen_in_[bits] = group_;
      const float value = to_float(bits, dtype_);
      if (count_ == most_ || !std::isfinite(value)) return {};
      values_[count_++] = value;
    }
    std::sort(values_.begin(), values_.begin() + count_, [](float a, float b) {
      return std::fabs(a) < std::fabs(b) || (std::fabs(a) == std::fabs(b) && a < b);
    });
    return {values_.data(), count_};
  }

 private:
  at::ScalarType dtype_;
  size_t most_;
  std::vector<uint32_t> seen_in_;  // number of the last group that held a bit pattern
  uint32_t group_ = 0;
  std::array<float, kMostValues> values_{};
  size_t count_ = 0;
};

std::optional<GroupLattice> lattice_of(std::span<const float> values, int bits, Rounding rounding) {
  std::array<RoundedWeight, kMostValues> weights;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto weight = rounded_weight(values[i], rounding);
    if (!weight) return std::nullopt;
    weights[i] = *weight;
  }
  return find_lattice({weights.data(), values.size()}, bits, rounding);
}

// The type that the file has is tried first.
std::optional<GroupLattice> lattice_of(std::span<const float> values, int bits, at::ScalarType dtype) {
  if (values.empty()) return std::nullopt;
  const bool half = dtype == at::kHalf;
  const auto found = lattice_of(values, bits, half ? Rounding::float16 : Rounding::bfloat16);
  return found ? found
               : lattice_of(values, bits, half ? Rounding::bfloat16 : Rounding::float16_then_bfloat16);
}

at::Tensor in_16_bits(const std::string& name, const at::Tensor& weight_NK) {
  const at::Tensor weight = weight_NK.cpu();
  const at::ScalarType given = weight.scalar_type();
  if (given == at::kHalf || given == at::kBFloat16) return weight.contiguous();
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const at::Tensor narrow = weight.to(dtype).contiguous();
    if (at::equal(narrow.to(given), weight)) return narrow;
  }
  require(at::isfinite(weight).all().item<bool>(), "quantize", name, kNotFinite);
  fail("quantize", name, ": expected weights of 16 bits into which codes were absorbed, got ",
       dtype_name(given));
}

[[noreturn]] void refuse(const std::string& name, const at::Tensor& group, int64_t row, int64_t begin,
                         int bits) {
  const at::Tensor wide = group.to(at::kFloat).contiguous();
  const float* data = wide.const_data_ptr<float>();
  const int64_t count = wide.numel();
  const auto where = concat(name, ", row ", row, ", columns ", begin, " to ", begin + count - 1);
  require(std::all_of(data, data + count, [](float value) { return std::isfinite(value); }), "quantize",
          where, kNotFinite);
  const size_t different = std::set<float>(data, data + count).size();
  fail("quantize", where, ": expected weights that were quantized to ", bits, " bits in groups of ", count,
       ", got ", different, " different values that lie on no such grid");
}

void keep_smallest(std::atomic<int64_t>& smallest, int64_t value) {
  int64_t known = smallest.load();
  while (value < known && !smallest.compare_exchange_weak(known, value)) {
  }
}

}  // namespace

AbsorbedGrid absorbed_grid(const std::string& name, const at::Tensor& weight_NK, int bits,
                           int64_t group_size) {
  QSLAW_CHECK((1 << bits) <= kMostValues);
  const at::Tensor narrow = in_16_bits(name, weight_NK);
  const at::ScalarType dtype = narrow.scalar_type();
  const int64_t N = narrow.size(0), G = narrow.size(1) / group_size;
  const GroupGrid grid{at::empty({N, G}, at::kFloat), at::empty({N, G}, at::kShort)};
  const auto* weights = static_cast<const uint16_t*>(narrow.const_data_ptr());
  auto* scale = grid.scale.mutable_data_ptr<float>();
  auto* zero = grid.zero.mutable_data_ptr<int16_t>();
  std::atomic<int64_t> refused = kNone, with_choice = 0;
  parallel_for(0, N * G, kGrain, [&](int64_t begin, int64_t end) {
    DistinctValues distinct(dtype, size_t{1} << bits);
    int64_t choices = 0;
    for (int64_t g = begin; g < end; ++g) {
      const auto found = lattice_of(distinct.of(weights + g * group_size, group_size), bits, dtype);
      if (!found) return keep_smallest(refused, g);
      scale[g] = found->scale;
      zero[g] = found->zero;
      choices += found->only ? 0 : 1;
    }
    with_choice += choices;
  });
  if (refused != kNone) {
    const int64_t row = refused / G, column = refused % G * group_size;
    refuse(name, narrow[row].narrow(0, column, group_size), row, column, bits);
  }
  return {grid, with_choice};
}

}  // namespace qslaw
