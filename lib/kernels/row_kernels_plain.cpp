// The row kernels in plain C++: the reference of the vector versions, and what other architectures run.
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <vector>

#include "kernels/activation_math.h"
#include "kernels/group_quant_cpu.h"
#include "kernels/row_kernels.h"

namespace qslaw::cpu {
namespace {

template <typename Source>
void widen(const void* source, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(static_cast<const Source*>(source)[i]);
}

template <typename Target>
void narrow(const float* source, int64_t n, void* out) {
  for (int64_t i = 0; i < n; ++i)
    static_cast<Target*>(out)[i] = static_cast<Target>(source[i]);
}

// n elements as floats: in place, or widened into `scratch`.
const float* as_floats(const void* source, Element type, int64_t n, std::vector<float>& scratch) {
  if (type == Element::float32) return static_cast<const float*>(source);
  scratch.resize(static_cast<size_t>(n));
  if (type == Element::bfloat16)
    widen<c10::BFloat16>(source, n, scratch.data());
  else
    widen<c10::Half>(source, n, scratch.data());
  return scratch.data();
}

void store_floats(const std::vector<float>& values, Element type, void* out) {
  const auto n = static_cast<int64_t>(values.size());
  if (type == Element::float32) return narrow<float>(values.data(), n, out);
  if (type == Element::bfloat16) return narrow<c10::BFloat16>(values.data(), n, out);
  narrow<c10::Half>(values.data(), n, out);
}

Group group_at(const RowGroups& groups, int64_t g) {
  const float gamma = groups.gamma ? groups.gamma[g] : 1.0F;
  const auto top = static_cast<float>((1 << groups.bits) - 1);
  return {groups.scale[g], groups.scale[g] * gamma, static_cast<float>(groups.zero[g]), gamma, top};
}

std::vector<uint8_t> unpacked(const uint8_t* codes, int64_t n, int bits) {
  std::vector<uint8_t> out(static_cast<size_t>(n));
  unpack_row(codes, n, bits, out.data());
  return out;
}

void dequantize(const uint8_t* codes, const RowGroups& groups, Element type, void* out) {
  const int64_t G = groups.size, n = groups.count * G;
  const std::vector<uint8_t> bytes = unpacked(codes, n, groups.bits);
  std::vector<float> values(static_cast<size_t>(n));
  for (int64_t g = 0; g < groups.count; ++g)
    group_dequantize(bytes.data() + g * G, G, group_at(groups, g), values.data() + g * G);
  store_floats(values, type, out);
}

void look_up(const uint8_t* codes, const RowLevels& levels, Element type, void* out) {
  const int64_t G = levels.size, n = levels.count * G;
  const std::vector<uint8_t> bytes = unpacked(codes, n, levels.bits);
  std::vector<float> values(static_cast<size_t>(n));
  for (int64_t g = 0; g < levels.count; ++g)
    group_lookup(bytes.data() + g * G, G, levels.table, levels.absmax[g], values.data() + g * G);
  store_floats(values, type, out);
}

void quantize(const void* w, Element type, const RowGroups& groups, uint8_t* codes) {
  const int64_t G = groups.size, n = groups.count * G;
  std::vector<float> scratch;
  const float* values = as_floats(w, type, n, scratch);
  std::vector<uint8_t> bytes(static_cast<size_t>(n));
  for (int64_t g = 0; g < groups.count; ++g)
    group_codes(values + g * G, G, group_at(groups, g), bytes.data() + g * G);
  pack_row(bytes.data(), n, groups.bits, codes);
}

void fake_quantize(const void* w, Element type, const RowGroups& groups, Element out_type, void* out) {
  const int64_t G = groups.size, n = groups.count * G;
  std::vector<float> scratch, restored(static_cast<size_t>(n));
  const float* values = as_floats(w, type, n, scratch);
  for (int64_t g = 0; g < groups.count; ++g)
    group_fake_quantize(values + g * G, G, group_at(groups, g), restored.data() + g * G);
  store_floats(restored, out_type, out);
}

void range(const void* w, Element type, int64_t groups, int64_t size, float* high, float* low) {
  std::vector<float> scratch;
  const float* values = as_floats(w, type, groups * size, scratch);
  for (int64_t g = 0; g < groups; ++g)
    group_extremes(values + g * size, size, high[g], low[g]);
}

void gamma_gradient(const void* w, Element type, const void* gradient, Element gradient_type,
                    const RowGroups& groups, float* out) {
  const int64_t G = groups.size;
  std::vector<float> scratch, gradient_scratch;
  const float* values = as_floats(w, type, groups.count * G, scratch);
  const float* slopes = as_floats(gradient, gradient_type, groups.count * G, gradient_scratch);
  for (int64_t g = 0; g < groups.count; ++g)
    out[g] = group_gamma_gradient(values + g * G, slopes + g * G, G, group_at(groups, g));
}

ActivationStep step_at(const RowGrid& grid, int64_t k) {
  return {grid.scale[k * grid.stride], grid.zero[k * grid.stride]};
}

void activation_codes(const void* x, Element type, int64_t columns, const RowGrid& grid, int8_t* codes) {
  std::vector<float> scratch;
  const float* values = as_floats(x, type, columns, scratch);
  for (int64_t k = 0; k < columns; ++k)
    codes[k] = static_cast<int8_t>(static_cast<int>(activation_code(values[k], step_at(grid, k), grid.bits)));
}

void fake_activation(const void* x, Element type, int64_t columns, const RowGrid& grid, void* out) {
  std::vector<float> scratch, restored(static_cast<size_t>(columns));
  const float* values = as_floats(x, type, columns, scratch);
  for (int64_t k = 0; k < columns; ++k) {
    const ActivationStep step = step_at(grid, k);
    restored[static_cast<size_t>(k)] = activation_value(activation_code(values[k], step, grid.bits), step);
  }
  store_floats(restored, type, out);
}

void widen_range(const void* x, Element type, int64_t columns, float* high, float* low) {
  std::vector<float> scratch;
  const float* values = as_floats(x, type, columns, scratch);
  for (int64_t k = 0; k < columns; ++k) {
    high[k] = values[k] > high[k] ? values[k] : high[k];
    low[k] = values[k] < low[k] ? values[k] : low[k];
  }
}

}  // namespace

const RowKernels& plain_row_kernels() {
  static constexpr RowKernels kTable = {dequantize,       look_up,         quantize,
                                        fake_quantize,    range,           gamma_gradient,
                                        activation_codes, fake_activation, widen_range};
  return kTable;
}

}  // namespace qslaw::cpu
