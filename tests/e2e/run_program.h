// Starts the program as a user does, so that signals, limits and exit codes can be tested.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace qslaw {

struct ProgramResult {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  double seconds = 0.0;
  std::string out, err;
};

struct ProgramLimits {
  int64_t file_bytes = 0;     // no file may grow beyond this (as a full disk stops writes); 0 = no limit
  int64_t address_bytes = 0;  // of memory and mapped files (ulimit -v); 0 = no limit
};

/// A started program. What still runs when the object goes is killed.
class RunningProgram {
 public:
  /// `arguments` without the program's own name.
  explicit RunningProgram(const std::vector<std::string>& arguments, const ProgramLimits& limits = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  /// False once it has ended.
  bool running();
  /// Whether a file of this name is mapped into its memory.
  bool has_loaded(const std::string& library) const;
  void send(int signal) const;
  /// Waits for its end.
  ProgramResult wait();

 private:
  void remember_end(int status);

  pid_t child_ = -1;
  int out_ = -1, err_ = -1;  // anonymous files, so that no pipe can fill up
  double began_ = 0.0;
  bool ended_ = false;
  ProgramResult result_;
};

/// Runs the program to its end.
ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramLimits& limits = {});

/// Looks every millisecond until `condition` holds (true), or `program` has ended (false).
bool wait_until(RunningProgram& program, const std::function<bool()>& condition);

/// Lines of the standard error that begin with "error: ".
std::vector<std::string> error_lines(const ProgramResult& result);

/// Exit code 2 and exactly one error line, which holds all of `parts`.
void require_user_error(const ProgramResult& result, const std::vector<std::string>& parts);

/// Exit code 0; shows the program's output otherwise.
void require_success(const ProgramResult& result);

}  // namespace qslaw
