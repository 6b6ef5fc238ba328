// Oracles: rows dealt by hand, and the fewest rows by exhaustive search.
#include "data/packed_rows.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

using namespace qslaw;

namespace {

using Rows = std::vector<std::vector<size_t>>;
using Lengths = std::vector<int64_t>;

int64_t tokens_of(const std::vector<size_t>& row, const Lengths& lengths) {
  return std::accumulate(row.begin(), row.end(), int64_t{0},
                         [&](int64_t sum, size_t sample) { return sum + lengths[sample]; });
}

/// Tries every way to deal the samples from `next` on, behind rows that hold `used` tokens.
void search_fewest(const Lengths& lengths, int64_t capacity, size_t next, Lengths& used, size_t& fewest) {
  if (next == lengths.size()) {
    fewest = std::min(fewest, used.size());
    return;
  }
  for (size_t row = 0; row < used.size(); ++row) {
    if (used[row] + lengths[next] > capacity) continue;
    used[row] += lengths[next];
    search_fewest(lengths, capacity, next + 1, used, fewest);
    used[row] -= lengths[next];
  }
  used.push_back(lengths[next]);  // of its own, however long
  search_fewest(lengths, capacity, next + 1, used, fewest);
  used.pop_back();
}

size_t fewest_rows(const Lengths& lengths, int64_t capacity) {
  Lengths used;
  size_t fewest = lengths.size();
  search_fewest(lengths, capacity, 0, used, fewest);
  return fewest;
}

Lengths random_lengths(size_t count, uint64_t longest, uint64_t seed) {
  Random random(seed);
  Lengths lengths(count);
  for (int64_t& length : lengths)
    length = static_cast<int64_t>(1 + random.below(longest));
  return lengths;
}

/// Every sample once, and no row with more than `capacity` unless its only sample is longer.
void check_rows(const Rows& rows, const Lengths& lengths, int64_t capacity) {
  std::vector<int> times(lengths.size(), 0);
  for (const auto& row : rows) {
    CHECK_FALSE(row.empty());
    CHECK((row.size() == 1 || tokens_of(row, lengths) <= capacity));
    for (const size_t sample : row)
      times.at(sample) += 1;
  }
  CHECK(times == std::vector<int>(lengths.size(), 1));
}

/// No sample has room in a row before its own.
void check_first_fit(const Rows& rows, const Lengths& lengths, int64_t capacity) {
  for (size_t before = 0; before < rows.size(); ++before) {
    const int64_t used = tokens_of(rows[before], lengths);
    for (size_t row = before + 1; row < rows.size(); ++row) {
      for (const size_t sample : rows[row])
        CHECK(used + lengths[sample] > capacity);
    }
  }
}

}  // namespace

TEST_CASE("packed rows: worked out by hand") {
  // 8; 7; 5 and the other 5; 3 behind the 7, as the first row has room for 2; 2 there. All rows are full.
  CHECK(pack_rows({3, 7, 5, 2, 8, 5}, 10) == Rows{{4, 3}, {1, 0}, {2, 5}});
  // 12 is longer than a row; 10 fills one.
  CHECK(pack_rows({12, 4, 10, 6}, 10) == Rows{{0}, {2}, {3, 1}});
  // Equal ones in their order.
  CHECK(pack_rows({4, 4, 4, 4, 4}, 9) == Rows{{0, 1}, {2, 3}, {4}});
  // Two of 4 in each of the first rows, behind which the two of 3 find no room, but those of 2 do.
  CHECK(pack_rows({2, 3, 4, 4, 4, 2, 3, 4, 4}, 10) == Rows{{2, 3, 0}, {4, 7, 5}, {8, 1, 6}});
  // Not the fewest, which are 4 + 2 + 2 and 3 + 3 + 2.
  CHECK(pack_rows({4, 3, 3, 2, 2, 2}, 8) == Rows{{0, 1}, {2, 3, 4}, {5}});
  CHECK(fewest_rows({4, 3, 3, 2, 2, 2}, 8) == 2);
  CHECK(pack_rows({}, 10).empty());
  CHECK(pack_rows({11}, 10) == Rows{{0}});
}

TEST_CASE("packed rows: every sample once, none in a row where an earlier one has room") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    INFO(seed);
    // Some are longer than a row.
    const Lengths lengths = random_lengths(200, 1200, seed);
    const Rows rows = pack_rows(lengths, 1000);
    check_rows(rows, lengths, 1000);
    check_first_fit(rows, lengths, 1000);
    CHECK(pack_rows(lengths, 1000) == rows);
  }
}

TEST_CASE("packed rows: as few as first fit decreasing promises") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Lengths lengths = random_lengths(8, 1 + seed % 14, seed);
    INFO("seed " << seed);
    const Rows rows = pack_rows(lengths, 12);
    check_rows(rows, lengths, 12);
    const size_t fewest = fewest_rows(lengths, 12);
    CHECK(rows.size() >= fewest);
    CHECK(9 * rows.size() <= 11 * fewest + 6);
  }
}

TEST_CASE("packed rows: lengths and capacity are at least 1") {
  CHECK_THROWS_AS(pack_rows({1, 0}, 4), InternalError);
  CHECK_THROWS_AS(pack_rows({1}, 0), InternalError);
}
