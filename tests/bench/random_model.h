// Decoders of random weights made on the device: a model of full size needs no files and no time.
#pragma once
#include <functional>

#include "bench/measure.h"
#include "model/llava.h"
#include "quant/packed_weight.h"

namespace qslaw::bench {

inline constexpr int64_t kGroupColumns = 128;

/// How weights are packed. normal_float: in blocks of kNormalFloatBlock.
struct PackedFormat {
  CodeKind kind = CodeKind::uniform;
  int bits = 4;
  int64_t group_size = kGroupColumns;
};

/// LLaMA-"7b" and "13b", and "small", which a CPU does in a second.
LanguageConfig language_shape(const std::string& model);
/// Those whose shapes the kernels and products are measured at.
std::vector<std::string> model_names(const Setting& setting);

/// Of blocks [N, K/G]: any numbers, because quantizing true ones takes seconds on the CPU.
AbsmaxCodes random_absmax(at::IntArrayRef blocks, at::Device device);
/// [N, K], bfloat16.
at::Tensor random_weight(int64_t rows, int64_t columns, at::Device device);
std::shared_ptr<PackedWeight> random_packed(int64_t rows, int64_t columns, const PackedFormat& format,
                                            at::Device device);

using MakeLinear = std::function<std::unique_ptr<Linear>(const LinearSpec& spec)>;
MakeLinear packed_linears(at::Device device, int bits);
MakeLinear dense_linears(at::Device device, at::ScalarType dtype);

/// Computes in bfloat16; embeddings and head are bfloat16, the linears what `make` makes.
Llava make_decoder(const LanguageConfig& config, at::Device device, const MakeLinear& make);

/// Random text, every token of which is learned.
Batch text_batch(const LanguageConfig& config, int64_t batch, int64_t tokens);

/// Weights of all linears and of the head.
int64_t multiplied_weights(const LanguageConfig& config);

}  // namespace qslaw::bench
