#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <vector>

#include "kernels/group_quant_cpu.h"
#include "kernels/product_kernels.h"

namespace qslaw::cpu {
namespace {

constexpr int64_t kPartialSums = 16;

float dot(const float* a, const float* b, int64_t n) {
  float sums[kPartialSums] = {};
  for (int64_t i = 0; i < n; i += kPartialSums) {
    for (int64_t lane = 0; lane < kPartialSums; ++lane)
      sums[lane] += a[i + lane] * b[i + lane];
  }
  for (int64_t width = kPartialSums / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane)
      sums[lane] += sums[lane + width];
  }
  return sums[0];
}

// A row's codes, or the table's values of them, as floats.
void unpack_values(const ProductWeight& w, int64_t row, std::vector<uint8_t>& bytes,
                   std::vector<float>& values) {
  unpack_row(w.codes + row * (w.columns * w.bits / 8), w.columns, w.bits, bytes.data());
  for (size_t k = 0; k < bytes.size(); ++k)
    values[k] = w.table ? w.table[bytes[k]] : static_cast<float>(bytes[k]);
}

float product(const ProductWeight& w, int64_t row, const std::vector<float>& values, const float* x,
              const float* sums) {
  const int64_t G = w.group_size, groups = w.columns / G;
  float total = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const float inner = dot(values.data() + g * G, x + g * G, G);
    const float offset = w.zero ? static_cast<float>(w.zero[row * groups + g]) * sums[g] : 0.0F;
    total += w.scale[row * groups + g] * (inner - offset);
  }
  return total;
}

void store_element(const ProductOutput& out, int64_t i, float value) {
  if (out.type == Element::float32) static_cast<float*>(out.y)[i] = value;
  if (out.type == Element::bfloat16) static_cast<c10::BFloat16*>(out.y)[i] = value;
  if (out.type == Element::float16) static_cast<c10::Half*>(out.y)[i] = value;
}

}  // namespace

void plain_product(const ProductWeight& weight, const ProductInput& input, const ProductOutput& out,
                   int64_t begin, int64_t end) {
  const int64_t groups = weight.columns / weight.group_size;
  std::vector<uint8_t> bytes(static_cast<size_t>(weight.columns));
  std::vector<float> values(bytes.size());
  for (int64_t row = begin; row < end; ++row) {
    unpack_values(weight, row, bytes, values);
    for (int64_t m = 0; m < input.tokens; ++m) {
      const float* x = static_cast<const float*>(input.x) + m * input.token_elements;
      store_element(out, m * out.rows + row, product(weight, row, values, x, input.sums + m * groups));
    }
  }
}

}  // namespace qslaw::cpu
