// The two kinds of failure: the user's (exit code 2, one line) and ours (exit code 1, with file and line).
#pragma once
#include <stdexcept>
#include <string>

#include "core/text.h"

namespace qslaw {

/// Something the user can mend: a recipe, file, data set, picture, memory. The message is one line of the
/// form
/// `[where] expected ..., got ... (file, line, key)`.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A broken invariant of our own.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Thrown after SIGTERM, SIGINT, SIGHUP or SIGUSR1 once everything is saved; ends the process with exit
/// code 75.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws UserError("[where] parts...").
template <typename... Parts>
[[noreturn]] void fail(const std::string& where, const Parts&... parts) {
  throw UserError(concat("[", where, "] ", parts...));
}

/// Throws fail(where, parts...) unless `condition` holds.
template <typename... Parts>
void require(bool condition, const std::string& where, const Parts&... parts) {
  if (!condition) fail(where, parts...);
}

/// A UserError's message without its own "[where] ", to be told from another place.
std::string without_place(const std::string& message);

[[noreturn]] void fail_check(const char* expression, const char* file, int line);

}  // namespace qslaw

/// An invariant of our own; active in every build type.
#define QSLAW_CHECK(condition)                                             \
  do {                                                                     \
    if (!(condition)) ::qslaw::fail_check(#condition, __FILE__, __LINE__); \
  } while (0)
