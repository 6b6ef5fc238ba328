// Stripping white space as Python's str.strip() does: Unicode white space, not only ASCII's.
#pragma once
#include <string_view>

namespace qslaw {

/// Views into `text` (valid UTF-8) without leading, trailing, or leading and trailing white space.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace qslaw
