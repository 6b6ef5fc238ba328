// Keys of a config.json with the checks that all of them need.
#pragma once
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/error.h"

namespace qslaw {

/// Far above every published model, and so small that the bytes of its tensors can be counted in int64_t.
inline constexpr int64_t kMostSize = int64_t{1} << 24;
inline constexpr int64_t kMostLayers = 1000;
inline constexpr int64_t kMostPixels = int64_t{1} << 14;  // a picture's side

/// One object of a config.json, not owned; errors name file and key, behind the keys of the objects around it
/// (text_config and vision_config have several keys in common). A key that is absent or null gives the
/// fallback.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string file, std::string section = "")
      : object_(object), file_(std::move(file)), section_(std::move(section)) {
    require(object.is_object(), "config", "expected an object, got ", object.type_name(), " (", file_, ")");
  }

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }

  int64_t integer(const char* key, int64_t fallback) const {
    return within(key, fallback, kLowest, kHighest, "an integer");
  }
  int64_t positive(const char* key, int64_t fallback, int64_t most = kMostSize) const {
    return within(key, fallback, 1, most, concat("a positive integer of at most ", most));
  }
  double number(const char* key, double fallback) const {
    if (!has(key)) return fallback;
    require(object_[key].is_number(), "config", "expected a number, got ", object_[key].dump(), " (", file_,
            ", key ", name(key), ")");
    return object_[key].get<double>();
  }
  std::string text(const char* key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    require(object_[key].is_string(), "config", "expected text, got ", object_[key].dump(), " (", file_,
            ", key ", name(key), ")");
    return object_[key].get<std::string>();
  }
  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    require(object_[key].is_boolean(), "config", "expected true or false, got ", object_[key].dump(), " (",
            file_, ", key ", name(key), ")");
    return object_[key].get<bool>();
  }
  ConfigReader object(const char* key) const {
    require(object_[key].is_object(), "config", "expected an object, got ", object_[key].type_name(), " (",
            file_, ", key ", name(key), ")");
    return {object_[key], file_, name(key)};
  }
  ConfigReader required_object(const char* key) const {
    require(has(key), "config", "expected key ", name(key), ", got none (", file_, ")");
    return object(key);
  }
  /// As errors call it: "vision_config.hidden_size".
  std::string name(const std::string& key) const { return section_.empty() ? key : section_ + "." + key; }
  const std::string& file() const { return file_; }

 private:
  static constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

  int64_t within(const char* key, int64_t fallback, int64_t low, int64_t high,
                 const std::string& expected) const {
    const nlohmann::json value = has(key) ? object_[key] : nlohmann::json(fallback);
    // nlohmann would make another number of one that int64_t does not hold.
    const bool held = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{kHighest});
    require(held && value.get<int64_t>() >= low && value.get<int64_t>() <= high, "config", "expected ",
            expected, ", got ", value.dump(), " (", file_, ", key ", name(key), ")");
    return value.get<int64_t>();
  }

  const nlohmann::json& object_;
  std::string file_, section_;
};

}  // namespace qslaw
