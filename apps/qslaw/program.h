// What libqslaw_program.so, which links LibTorch, offers to the executable, which does not.
#pragma once
#include "command_options.h"

/// Runs a command and returns the process's exit code. Nothing is thrown.
extern "C" int qslaw_run_program(const qslaw::CommandOptions& options);

/// The build that the library belongs to; the executable refuses another one's.
extern "C" const char* qslaw_program_build();

namespace qslaw {

inline constexpr const char* kProgramLibrary = "libqslaw_program.so";
inline constexpr const char* kProgramSymbol = "qslaw_run_program";
inline constexpr const char* kBuildSymbol = "qslaw_program_build";

}  // namespace qslaw
