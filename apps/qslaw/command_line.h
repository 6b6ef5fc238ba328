// The command line: read without LibTorch, so that --help and a mistake are answered at once.
#pragma once
#include "command_options.h"

namespace qslaw {

/// Reads the command line. Returns true when a command is to be run; otherwise everything has been said
/// (help, version, or the mistake in one line) and `exit_code` tells what main returns.
bool read_command_line(int argc, char** argv, CommandOptions& options, int& exit_code);

}  // namespace qslaw
