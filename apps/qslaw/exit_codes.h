// What the process returns (README.md, "Commands"), how an error is printed, and standard streams.
#pragma once
#include <string>

namespace qslaw {

inline constexpr int kUserError = 2, kBug = 1, kStopped = 75;

/// Told where memory is refused and no stage is known, with kUserError.
inline constexpr const char* kMemoryRemedies =
    "; try smaller numbers in the recipe (micro_batch_size or packed_length, rank), checkpointing: true, "
    "fewer bits, or a higher limit where one is set (ulimit -v); --dry-run estimates what each stage needs";
inline const std::string kHostMemory = std::string("[memory] not enough host memory") + kMemoryRemedies;

/// `code`, or kUserError with a message when it is 0 but standard output could not be written: a cut table or
/// JSON object must not pass for a result.
int after_output(int code);

/// Takes the places of standard streams that are closed, so that no file is opened there later and what is
/// printed goes into it. Writing to them fails as before.
void hold_standard_streams();

/// Has memory that is refused where no exception can be caught (LibTorch being loaded, a thread of its own)
/// end the process as it does elsewhere: with kHostMemory and kUserError.
void report_refused_memory();

/// Prints "error: MESSAGE" and returns `code`.
int complain(const std::string& message, int code);

}  // namespace qslaw
