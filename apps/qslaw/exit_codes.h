// What the process returns (README.md, "Commands"), and how an error is printed.
#pragma once
#include <string>

namespace qslaw {

inline constexpr int kUserError = 2, kBug = 1, kStopped = 75;

/// Prints "error: MESSAGE" and returns `code`.
int complain(const std::string& message, int code);

}  // namespace qslaw
