// SIGTERM, SIGINT and SIGUSR1 ask the running stage to save and stop.
#pragma once

namespace qslaw {

/// Installs the handlers. A second SIGINT ends the process at once.
void watch_for_stop_signals();

/// True once a stop was asked for.
bool stop_requested();

/// Sets the flag as a signal would (for tests), or clears it.
void request_stop(bool value = true);

}  // namespace qslaw
