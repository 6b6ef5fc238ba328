#include "report/number_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/text.h"

namespace qslaw {
namespace {

using nlohmann::json;

// Beyond 2^53 a double no longer holds every whole number; digits would be made up.
constexpr double kExactLimit = 9007199254740992.0;
// Four digits tell such values apart: decimals would only widen a table.
constexpr double kWholeFrom = 1000;

// Also those of a part: "color_accuracy", "color_accuracy_plus".
bool is_percentage(const std::string& key) {
  return key == "f1" || key == "accuracy" || key.ends_with("_accuracy") || key.ends_with("_accuracy_plus");
}

std::string significant(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

// "2e-05" -> "2e-5", "1e+15" -> "1e15".
std::string short_exponent(std::string text) {
  const size_t e = text.find('e');
  if (e == std::string::npos) return text;
  const size_t digits = text.find_first_not_of("0", e + 2);
  return text.substr(0, e + 1) + (text[e + 1] == '-' ? "-" : "") + text.substr(digits);
}

// "91.50" -> "91.5", "3.00" -> "3".
std::string trim_zeros(std::string text) {
  if (text.find('.') == std::string::npos || text.find('e') != std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// "-1234.5" -> "-1,234.5".
std::string separate_thousands(std::string number) {
  const size_t first = number.starts_with('-') ? 1 : 0;
  for (size_t i = std::min(number.find('.'), number.size()); i > first + 3;)
    number.insert(i -= 3, ",");
  return number;
}

// What rounds to zero has no sign: "-0.000" -> "0.000".
std::string fixed(double value, int decimals) {
  const std::string text = format_fixed(value, decimals);
  const bool zero = std::isfinite(value) && text.find_first_of("123456789") == std::string::npos;
  return separate_thousands(zero && text.starts_with('-') ? text.substr(1) : text);
}

}  // namespace

std::string format_count(int64_t value) {
  return separate_thousands(std::to_string(value));
}

std::string format_decimals(double value, int decimals) {
  const bool small = std::fabs(value) < kWholeFrom;
  return small ? fixed(value, decimals) : format_short(value);
}

std::string format_tick(double value, int decimals) {
  return fixed(value, decimals);
}

std::string format_short(double value) {
  if (!std::isfinite(value)) return kNoValue;
  const double size = std::fabs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return short_exponent(significant(value, 4));
  if (size >= 1e9) return trim_zeros(format_fixed(value / 1e9, 2)) + "G";
  if (size >= 1e6) return trim_zeros(format_fixed(value / 1e6, 2)) + "M";
  // What four digits round to 1000 belongs here too.
  if (size >= 999.95) return format_count(std::llround(value));
  return significant(value + 0.0, 4);  // the sum turns -0 into 0
}

std::string format_size(double bytes) {
  if (!std::isfinite(bytes)) return kNoValue;
  return format_bytes(
      static_cast<int64_t>(std::fmax(-kExactLimit * 512, std::fmin(bytes, kExactLimit * 512))));
}

std::string format_metric(const std::string& key, double value) {
  if (!std::isfinite(value)) return kNoValue;
  if (key.ends_with("bytes")) return format_size(value);
  if (key.ends_with("per_second")) return format_decimals(value, value < 10 ? 2 : 1);
  if (key.ends_with("seconds")) return std::fabs(value) < 1e9 ? format_seconds(value) : format_short(value);
  if (is_percentage(key)) return format_decimals(value, 2) + " %";
  if (key.starts_with("perplexity")) return format_decimals(value, 3);
  if (key == "loss") return format_decimals(value, 4);
  const bool whole = value == std::floor(value) && std::fabs(value) < kExactLimit;
  if (whole) return format_count(std::llround(value));
  return std::fabs(value) >= 10 ? format_decimals(value, 2) : format_short(value);
}

std::optional<double> number_at(const json& object, const std::string& key) {
  const json& value = member_at(object, key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

std::string text_at(const json& object, const std::string& key, const std::string& otherwise) {
  const json& value = member_at(object, key);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

const json& member_at(const json& object, const std::string& key) {
  static const json null;
  if (!object.is_object()) return null;
  const auto it = object.find(key);
  return it == object.end() ? null : *it;
}

}  // namespace qslaw
