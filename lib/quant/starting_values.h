// What learning may start from instead of its usual values: files that the authors' programs leave
// (docs/formats.md, "Files that are read").
#pragma once
#include <filesystem>
#include <vector>

#include "quant/group_values.h"

namespace qslaw {

/// Clipping factors of a linear before the sigmoid, float32 [N, K/G].
struct ClippingFactors {
  at::Tensor upper, lower;
};

/// OmniQuant's omni_parameters.pth: {layer: {"<linear>.weight_quantizer.upbound_factor",
/// "...lowbound_factor"}}. Errors are KeyErrors at quantize.omniquant.start.
class ClippingStart {
 public:
  /// Names, shapes and dtypes: the factors of these linears, all of them and nothing else.
  ClippingStart(const std::filesystem::path& path, const std::vector<LinearSpec>& specs, int64_t group_size);
  /// KeyError for one that is not finite.
  ClippingFactors factors(const LinearSpec& spec) const;
  /// That of each of them.
  void check_values(const std::vector<LinearSpec>& specs) const;

 private:
  GroupValues values_;
};

/// QSLAW's gamma: scaling_train.bin ("model.layers.<layer>.<linear>.weight_quantizer.dynamic_scale") and
/// scaling.bin (the same by layer), or a gamma.safetensors of this program. Errors are KeyErrors at
/// warmup.start.
class GammaStart {
 public:
  /// Names, shapes and dtypes: gamma of the linears of all blocks from `first_layer` on. Those of blocks
  /// before may be there as well, but only with values of 1, which is what such blocks keep.
  GammaStart(const std::filesystem::path& path, const std::vector<LinearSpec>& specs, int64_t group_size,
             int64_t first_layer);
  /// float32 [N, K/G]. KeyError for a number that is not finite or is 0. REQUIRES: a block from first_layer
  /// on.
  at::Tensor gamma(const LinearSpec& spec) const;
  /// That of each linear it is required of.
  void check_values(const std::vector<LinearSpec>& specs) const;

 private:
  void require_ones(const LinearSpec& spec) const;

  GroupValues values_;
  int64_t first_layer_;
};

}  // namespace qslaw
