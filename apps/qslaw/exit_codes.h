// What the process returns (README.md, "Commands"), how an error is printed, and standard streams.
#pragma once
#include <string>

namespace qslaw {

inline constexpr int kUserError = 2, kBug = 1, kStopped = 75;

/// `code`, or kUserError with a message when it is 0 but standard output could not be written: a cut table or
/// JSON object must not pass for a result.
int after_output(int code);

/// Takes the places of standard streams that are closed, so that no file is opened there later and what is
/// printed goes into it. Writing to them fails as before.
void hold_standard_streams();

/// Prints "error: MESSAGE" and returns `code`.
int complain(const std::string& message, int code);

}  // namespace qslaw
