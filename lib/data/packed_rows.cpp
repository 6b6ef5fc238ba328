#include "data/packed_rows.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace qslaw {
namespace {

// The longest first, of equal ones the earlier.
std::vector<size_t> by_falling_length(const std::vector<int64_t>& lengths) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  return order;
}

}  // namespace

std::vector<std::vector<size_t>> pack_rows(const std::vector<int64_t>& lengths, int64_t capacity) {
  QSLAW_CHECK(capacity > 0);
  std::vector<std::vector<size_t>> rows;
  std::vector<int64_t> room;  // of each row; below 0 where its one sample is longer
  for (const size_t sample : by_falling_length(lengths)) {
    const int64_t length = lengths[sample];
    QSLAW_CHECK(length > 0);
    const auto fits = [&](int64_t left) { return left >= length; };
    const auto row = static_cast<size_t>(std::find_if(room.begin(), room.end(), fits) - room.begin());
    if (row == rows.size()) {
      rows.emplace_back();
      room.push_back(capacity);
    }
    rows[row].push_back(sample);
    room[row] -= length;
  }
  return rows;
}

}  // namespace qslaw
