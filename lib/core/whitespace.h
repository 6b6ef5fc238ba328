// White space as Python's str.strip() and str.split() see it: Unicode's, not only ASCII's.
#pragma once
#include <cstdint>
#include <string_view>

namespace qslaw {

/// Views into `text` (valid UTF-8) without leading, trailing, or leading and trailing white space.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

/// How many parts str.split() makes of `text` (valid UTF-8).
int64_t count_words(std::string_view text);

}  // namespace qslaw
