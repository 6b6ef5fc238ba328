// Scale learning (QSLAW): a frozen weight, re-quantized with the learned gamma of each group on every pass.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/linear.h"
#include "quant/packed_weight.h"
#include "quant/starting_values.h"

namespace qslaw {

/// y = x W^(gamma)', W^ = s (clamp(round(W / (s gamma)) + z, 0, 2^bits - 1) - z): gamma is not multiplied
/// back (docs/method.md, `formula: qslaw`). Keeps W in the file's dtype, so that folding meets the codes' own
/// source; W^ exists only during a product.
class ScaleLinear final : public Linear {
 public:
  /// `grid` is the one the packed weight was made on; gamma starts at 1. `gamma` is a float32 leaf, [N, K/G].
  ScaleLinear(const LinearSpec& spec, at::Tensor weight_NK, GroupGrid grid, int bits);
  at::Tensor forward(const at::Tensor& x) const override;
  at::Tensor dense_weight(at::ScalarType dtype) const override;
  int64_t weight_bytes() const override;

  const LinearSpec& spec() const { return spec_; }
  at::Tensor& gamma() { return gamma_; }
  /// The codes with gamma folded in: what tune, eval and export use from then on.
  PackedWeight fold(int64_t group_size) const;
  /// Share of codes that folding changes against gamma = 1.
  double changed_share() const;

 private:
  LinearSpec spec_;
  at::Tensor weight_NK_;
  GroupGrid grid_;
  int bits_;
  at::Tensor gamma_;
};

/// Blocks from `first_layer` on become ScaleLinear (collected in `made`, owned by the model); blocks before
/// it packed.
LinearMaker scale_maker(const PackedLanguage& language, int64_t first_layer, at::Device device,
                        std::vector<ScaleLinear*>& made);

/// Puts given values of gamma in the place of 1.
void begin_with(const GammaStart& start, const std::vector<ScaleLinear*>& layers);

/// The language model with every gamma folded in; the other linears are those of `language`.
PackedLanguage fold_scales(const PackedLanguage& language, const std::vector<ScaleLinear*>& layers);

}  // namespace qslaw
