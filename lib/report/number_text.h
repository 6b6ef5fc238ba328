// Numbers as people read them, in tables, cards and on axes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace qslaw {

/// What stands for a value that is missing or not finite.
inline constexpr const char* kNoValue = "n/a";

/// "4,241".
std::string format_count(int64_t value);

/// At most four significant digits and a unit letter for large values: "0.0002", "12.5", "4,241", "84.25M",
/// "1.2e15".
std::string format_short(double value);

/// Fixed decimals below 1,000, like format_short from there on: "3.960", "29,991". kNoValue when not finite.
std::string format_decimals(double value, int decimals);

/// All decimals whatever the size, "29,990.5", for numbers that stand in steps. REQUIRES: finite, below 1e15.
std::string format_tick(double value, int decimals);

/// A size that may come from a file: kNoValue when not finite, "8.00 EiB" and up included.
std::string format_size(double bytes);

/// A metric by its key: sizes for `..._bytes`, times for `...seconds`, fixed decimals for scores (percent for
/// `accuracy`, `..._accuracy`, `..._accuracy_plus` and `f1`), otherwise whole numbers as they are and four
/// significant digits.
std::string format_metric(const std::string& key, double value);

/// The finite number at `key`; none when `object` is not an object, has no such key or holds something else
/// there.
std::optional<double> number_at(const nlohmann::json& object, const std::string& key);

/// The text at `key`, or `otherwise`.
std::string text_at(const nlohmann::json& object, const std::string& key, const std::string& otherwise = "");

/// The member at `key`, or null.
const nlohmann::json& member_at(const nlohmann::json& object, const std::string& key);

}  // namespace qslaw
