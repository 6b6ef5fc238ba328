// What libqslaw_program.so, which links LibTorch, offers to the executable, which does not.
#pragma once
#include "command_options.h"

/// Runs a command and returns the process's exit code. Nothing is thrown.
extern "C" int qslaw_run_program(const qslaw::CommandOptions& options);

namespace qslaw {

inline constexpr const char* kProgramLibrary = "libqslaw_program.so";
inline constexpr const char* kProgramSymbol = "qslaw_run_program";

}  // namespace qslaw
