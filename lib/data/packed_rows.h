// Which samples lie together in a row of limited length.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qslaw {

/// Deals samples of these lengths (tokens) to rows of at most `capacity` tokens: first fit decreasing, the
/// longest first and each in the first row that has room for it; of equal ones the earlier first. At most
/// 11/9 of the fewest possible rows and 6/9 of a row more (Dosa 2007). A sample longer than `capacity` has a
/// row of its own. Rows hold places in `lengths`, in the order that they were dealt; no row is empty.
/// REQUIRES: lengths and capacity of at least 1.
std::vector<std::vector<size_t>> pack_rows(const std::vector<int64_t>& lengths, int64_t capacity);

}  // namespace qslaw
