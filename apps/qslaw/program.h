// What libqslaw_program.so, which links LibTorch, offers to the executable, which does not.
#pragma once
#include "command_options.h"
#include "core/interrupt.h"

/// Runs a command and returns the process's exit code. Nothing is thrown. `stop_flag` is the one that the
/// executable's signal handlers set.
extern "C" int qslaw_run_program(const qslaw::CommandOptions& options, qslaw::StopFlag& stop_flag);

/// The build that the library belongs to; the executable refuses another one's.
extern "C" const char* qslaw_program_build();

namespace qslaw {

inline constexpr const char* kProgramLibrary = "libqslaw_program.so";
inline constexpr const char* kProgramSymbol = "qslaw_run_program";
inline constexpr const char* kBuildSymbol = "qslaw_program_build";

}  // namespace qslaw
