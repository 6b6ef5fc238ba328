// SIGTERM, SIGINT, SIGHUP and SIGUSR1 ask the running stage to save and stop.
#pragma once
#include <csignal>

namespace qslaw {

/// What the handlers set: not 0 once a stop was asked for.
using StopFlag = volatile std::sig_atomic_t;

/// Installs the handlers. A second SIGINT ends the process at once. Returns the flag that they set.
StopFlag& watch_for_stop_signals();

/// From now on `flag` is what this copy of the library looks at: the executable, which installs the handlers
/// before it loads the rest of the program, has one of its own.
void use_stop_flag(StopFlag& flag);

/// True once a stop was asked for.
bool stop_requested();

/// Sets the flag as a signal would (for tests), or clears it.
void request_stop(bool value = true);

/// Lets a write beyond the limit of a file's size (ulimit -f, SIGXFSZ) or into a pipe that nobody reads
/// (SIGPIPE) fail as one on a full disk does, instead of ending the process.
void ignore_write_signals();

}  // namespace qslaw
