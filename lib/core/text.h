// Small string building: concatenation, joining, human units, nearest names for error messages.
#pragma once
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

/// The parts written one after the other, as operator<< prints them.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// "a, b, c".
std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");

/// Bytes as "512 B", "1.5 KiB", "23.6 GiB".
std::string format_bytes(int64_t bytes);

/// Seconds as "8.2 s", "3 min 05 s", "2 h 10 min".
std::string format_seconds(double seconds);

/// A number with a fixed count of decimals.
std::string format_fixed(double value, int decimals);

/// The candidate with the smallest edit distance to `name`, or "" when none is within half its length.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

/// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_valid_utf8(std::string_view text);

}  // namespace qslaw
