#include "quant/weight_clipping.h"

#include <ATen/ATen.h>

#include "kernels/quant_math.h"

namespace qslaw {
namespace {

constexpr double kInitialFactor = 4.0;

// Rounds, letting the gradient through as if nothing had happened.
at::Tensor round_straight_through(const at::Tensor& x) {
  return x + (x.round() - x).detach();
}

}  // namespace

ClippedLinear::ClippedLinear(at::Tensor weight_NK, int64_t group_size, int bits)
    : weight_NK_(std::move(weight_NK)),
      group_size_(group_size),
      bits_(bits),
      range_(group_range(weight_NK_, group_size)),
      upper_(at::full_like(range_.high, kInitialFactor).requires_grad_(true)),
      lower_(at::full_like(range_.low, kInitialFactor).requires_grad_(true)) {}

// The same arithmetic as quant_math.h in differentiable operators. No gradient passes through the zero point
// (its round has none in the authors' code either).
at::Tensor ClippedLinear::clipped_weight() const {
  const double top = (1 << bits_) - 1;
  const at::Tensor high = at::sigmoid(upper_) * range_.high, low = at::sigmoid(lower_) * range_.low;
  const at::Tensor scale = ((high - low) / top).clamp(kMinScale, kMaxScale).unsqueeze(-1);
  const at::Tensor zero = (-low.unsqueeze(-1) / scale).clamp(-kMaxZero, kMaxZero).round().detach();
  const at::Tensor grouped = weight_NK_.to(at::kFloat).view({weight_NK_.size(0), -1, group_size_});
  const at::Tensor position = round_straight_through(grouped / scale) + zero;
  return ((position.clamp(0.0, top) - zero) * scale).view(weight_NK_.sizes());
}

at::Tensor ClippedLinear::forward(const at::Tensor& x) const {
  return at::linear(x, clipped_weight().to(x.scalar_type()));
}

at::Tensor ClippedLinear::dense_weight(at::ScalarType dtype) const {
  return clipped_weight().detach().to(dtype);
}

int64_t ClippedLinear::weight_bytes() const {
  return static_cast<int64_t>(weight_NK_.nbytes());
}

PackedWeight ClippedLinear::pack() const {
  at::NoGradGuard no_grad;
  PackedWeight packed;
  packed.bits = bits_;
  packed.group_size = group_size_;
  packed.grid = grid_from_range({at::sigmoid(upper_) * range_.high, at::sigmoid(lower_) * range_.low}, bits_);
  packed.codes = quantize_packed(weight_NK_.contiguous(), packed.grid, {}, bits_);
  return packed;
}

}  // namespace qslaw
