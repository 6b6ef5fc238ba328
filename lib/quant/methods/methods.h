// The quantization methods' entry points (the table is in quantize.cpp).
#pragma once
#include "quant/quantize.h"

namespace qslaw {

/// Min-max range of each group, no data.
QuantizeResult quantize_rtn(const QuantizeTask& task);
/// Learnable weight clipping, block by block (OmniQuant).
QuantizeResult quantize_omniquant(const QuantizeTask& task);
/// NormalFloat codes with double quantization (QLoRA).
QuantizeResult quantize_nf4(const QuantizeTask& task);

/// Runs `pack` over every linear on its own, with progress and the error table: what data-free methods share.
QuantizeResult quantize_each(
    const QuantizeTask& task,
    const std::function<PackedWeight(const LinearSpec&, const at::Tensor& weight_NK)>& pack);

}  // namespace qslaw
