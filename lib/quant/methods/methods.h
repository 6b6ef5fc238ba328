// The quantization methods' entry points (the table is in quantize.cpp).
#pragma once
#include "quant/quantize.h"
#include "quant/starting_values.h"

namespace qslaw {

/// Min-max range of each group, no data.
nlohmann::json quantize_rtn(const QuantizeTask& task, const PackedSink& sink);
/// Learnable weight clipping, block by block (OmniQuant).
nlohmann::json quantize_omniquant(const QuantizeTask& task, const PackedSink& sink);
/// The same with given factors and nothing to learn: each linear on its own, without data.
nlohmann::json quantize_with_factors(const QuantizeTask& task, const PackedSink& sink);
/// A linear's row of the report with the means of its factors behind the sigmoid.
nlohmann::json clip_row(nlohmann::json row, const ClippingFactors& factors);
/// The grids that weights lie on which were quantized, multiplied out and stored in 16 bits.
nlohmann::json quantize_absorbed(const QuantizeTask& task, const PackedSink& sink);
/// NormalFloat codes with double quantization (QLoRA).
nlohmann::json quantize_nf4(const QuantizeTask& task, const PackedSink& sink);

/// Runs `pack` over every linear on its own, with progress and the error table: what data-free methods share.
nlohmann::json quantize_each(
    const QuantizeTask& task, const PackedSink& sink,
    const std::function<PackedWeight(const LinearSpec&, const at::Tensor& weight_NK)>& pack);

}  // namespace qslaw
