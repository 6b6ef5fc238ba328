// How weights are cut where only a part of them is to exist densely at a time.
#pragma once
#include <algorithm>
#include <cstdint>

namespace qslaw {

/// `count` rows (or columns) of `length` elements in tiles of at most `elements`: rows of a tile, a multiple
/// of `multiple` and at least one. Tiles are as many as must be and, but for rounding, of one size: products
/// of matrices are slow where a rest is narrow, and fastest where widths are multiples of 64.
inline int64_t tile_size(int64_t count, int64_t length, int64_t elements, int64_t multiple = 64) {
  const auto divide_up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const int64_t most = std::max<int64_t>(elements / std::max<int64_t>(length, 1) / multiple, 1) * multiple;
  const int64_t tiles = std::max<int64_t>(divide_up(count, most), 1);
  return std::max<int64_t>(divide_up(divide_up(count, tiles), multiple), 1) * multiple;
}

}  // namespace qslaw
