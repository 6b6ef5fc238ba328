#include "model/rope.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/rotary.h"

namespace qslaw {
namespace {

// LLaMA 3.1's context extension: long wavelengths are slowed by `factor`, short ones kept, those between
// blended.
void scale_llama3(float* frequencies, int64_t count, const RopeConfig& rope) {
  const double original = static_cast<double>(rope.original_max_positions);
  const double longest = original / rope.low_freq_factor;
  const double shortest = original / rope.high_freq_factor;
  for (int64_t i = 0; i < count; ++i) {
    const double wavelength = 2.0 * M_PI / frequencies[i];
    if (wavelength < shortest) continue;
    const float slowed = static_cast<float>(frequencies[i] / rope.factor);
    if (wavelength > longest) {
      frequencies[i] = slowed;
      continue;
    }
    const double smooth =
        (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
    frequencies[i] = static_cast<float>((1.0 - smooth) * slowed + smooth * frequencies[i]);
  }
}

}  // namespace

at::Tensor rope_frequencies(const RopeConfig& rope, int64_t head_size) {
  at::Tensor exponents = at::arange(0, head_size, 2, at::kFloat) / static_cast<double>(head_size);
  at::Tensor frequencies = (1.0 / at::pow(rope.theta, exponents)).contiguous();
  if (rope.scaling == "linear") frequencies = frequencies / rope.factor;
  if (rope.scaling == "llama3") scale_llama3(frequencies.data_ptr<float>(), frequencies.numel(), rope);
  return frequencies;
}

RopeTable make_rope_table(const at::Tensor& frequencies, const at::Tensor& positions, at::ScalarType dtype) {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(-1) * frequencies.to(positions.device());
  at::Tensor doubled = at::cat({angles, angles}, -1);
  if (positions.dim() == 2) doubled = doubled.unsqueeze(1);
  return {doubled.cos().to(dtype), doubled.sin().to(dtype)};
}

RopeTable rope_table_of_length(const at::Tensor& frequencies, int64_t length, at::ScalarType dtype) {
  return make_rope_table(frequencies, at::arange(length, frequencies.options().dtype(at::kLong)), dtype);
}

RopeTable rope_table_of_packed(const at::Tensor& frequencies, const std::vector<int64_t>& lengths,
                               at::ScalarType dtype) {
  std::vector<at::Tensor> positions;
  for (const int64_t length : lengths)
    positions.push_back(at::arange(length, frequencies.options().dtype(at::kLong)));
  RopeTable table = make_rope_table(frequencies, at::cat(positions), dtype);
  table.packed = lengths;
  return table;
}

at::Tensor apply_rope(const at::Tensor& x_BTN, int64_t heads, const RopeTable& table) {
  return rotate_heads(x_BTN, heads, table.cos, table.sin);
}

}  // namespace qslaw
