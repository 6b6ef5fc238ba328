// Errors about one key of the recipe, found by checks that know no file: lib/recipe adds file and line.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace qslaw {

/// A value that is out of range or contradicts another key.
class KeyError : public UserError {
 public:
  /// `key` is the dotted path ("tune.lora.rank"); `message` reads "expected ..., got ...".
  KeyError(std::string key, std::string message)
      : UserError(concat("[recipe] ", message, " (key ", key, ")")),
        key_(std::move(key)),
        message_(std::move(message)) {}
  const std::string& key() const { return key_; }
  const std::string& message() const { return message_; }

 private:
  std::string key_, message_;
};

template <typename... Parts>
[[noreturn]] void fail_key(const std::string& key, const Parts&... parts) {
  throw KeyError(key, concat(parts...));
}

/// Throws fail_key(key, parts...) unless `condition` holds.
template <typename... Parts>
void require_key(bool condition, const std::string& key, const Parts&... parts) {
  if (!condition) fail_key(key, parts...);
}

/// Runs `function`; its UserError becomes a KeyError at `key`, without its own "[where]".
template <typename Function>
void check_at_key(const std::string& key, const Function& function) {
  try {
    function();
  } catch (const UserError& error) {
    fail_key(key, without_place(error.what()));
  }
}

/// `value` must be one of `names`; the error lists them and proposes the nearest.
void require_one_of(const std::string& key, const std::string& value, const std::vector<std::string>& names);

/// low <= value, and low <= value <= high. Not-a-number is refused.
void require_at_least(const std::string& key, int64_t value, int64_t low);
void require_between(const std::string& key, int64_t value, int64_t low, int64_t high);
void require_between(const std::string& key, double value, double low, double high);

/// 0 < value, and 0 < value <= high.
void require_positive(const std::string& key, double value);
void require_positive(const std::string& key, double value, double high);

/// Bounds of keys in several sections: what is beyond can only be a slip of the pen.
inline constexpr int64_t kMaxTokens = 1 << 20;       // of a sample, window or answer
inline constexpr int64_t kMaxBatchSize = 1'000'000;  // samples of a step or a forward pass
inline constexpr double kMaxLearningRate = 100.0;

/// "a", "a or b", "a, b or c".
std::string join_or(const std::vector<std::string>& names);

}  // namespace qslaw
