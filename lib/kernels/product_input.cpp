#include "kernels/product_input.h"

#include <bit>

namespace qslaw::cpu {
namespace {

constexpr int64_t kPartialSums = 16;

float widened(float value) {
  return value;
}
float widened(uint16_t bfloat16) {
  return std::bit_cast<float>(static_cast<uint32_t>(bfloat16) << 16);
}

template <typename T>
float sum(const T* x, int64_t n) {
  float sums[kPartialSums] = {};
  for (int64_t i = 0; i < n; i += kPartialSums) {
    for (int64_t lane = 0; lane < kPartialSums; ++lane)
      sums[lane] += widened(x[i + lane]);
  }
  for (int64_t width = kPartialSums / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane)
      sums[lane] += sums[lane + width];
  }
  return sums[0];
}

// One chunk of which `columns` columns exist; the others are zeros.
template <typename T>
void order_chunk(const T* x, int64_t columns, ProductLayout layout, T* ordered) {
  for (int64_t s = 0; s < layout.steps; ++s) {
    for (int64_t u = 0; u < layout.units; ++u) {
      const int64_t column = u * layout.steps + s;
      ordered[s * layout.units + u] = column < columns ? x[column] : T{};
    }
  }
}

// A whole chunk, with the number of steps as a constant.
template <int64_t kSteps, typename T>
void order_whole_chunk(const T* x, int64_t units, T* ordered) {
  for (int64_t u = 0; u < units; ++u) {
    for (int64_t s = 0; s < kSteps; ++s)
      ordered[s * units + u] = x[u * kSteps + s];
  }
}

template <typename T>
void order_full(const T* x, ProductLayout layout, T* ordered) {
  if (layout.steps == 2) return order_whole_chunk<2>(x, layout.units, ordered);
  if (layout.steps == 4) return order_whole_chunk<4>(x, layout.units, ordered);
  if (layout.steps == 8) return order_whole_chunk<8>(x, layout.units, ordered);
  if (layout.steps == 16) return order_whole_chunk<16>(x, layout.units, ordered);
  order_chunk(x, layout.chunk(), layout, ordered);
}

template <typename T>
void order(const T* x, int64_t columns, int64_t group_size, ProductLayout layout, T* ordered, float* sums) {
  const int64_t chunk = layout.chunk();
  int64_t at = 0;
  for (; at + chunk <= columns; at += chunk)
    order_full(x + at, layout, ordered + at);
  if (at < columns) order_chunk(x + at, columns - at, layout, ordered + at);
  for (int64_t g = 0; g * group_size < columns; ++g)
    sums[g] = sum(x + g * group_size, group_size);
}

}  // namespace

void order_token(const float* x, int64_t columns, int64_t group_size, ProductLayout layout, float* ordered,
                 float* sums) {
  order(x, columns, group_size, layout, ordered, sums);
}

void order_token(const uint16_t* x, int64_t columns, int64_t group_size, ProductLayout layout,
                 uint16_t* ordered, float* sums) {
  order(x, columns, group_size, layout, ordered, sums);
}

}  // namespace qslaw::cpu
