#include "exit_codes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <iostream>
#include <new>

#include "core/progress.h"
#include "core/write_failure.h"

namespace qslaw {
namespace {

std::terminate_handler other_end = nullptr;

void end_process() {
  try {
    if (std::current_exception()) throw;
  } catch (const std::bad_alloc&) {
    ::_exit(complain(kHostMemory, kUserError));
  } catch (...) {
  }
  other_end();
}

}  // namespace

void report_refused_memory() {
  other_end = std::set_terminate(end_process);
}

int complain(const std::string& message, int code) {
  clear_progress_line();
  std::cerr << "error: " << message << std::endl;
  return code;
}

int after_output(int code) {
  std::cout.flush();
  if (code != 0 || std::cout) return code;
  // The reason may be long gone: another line meets it again.
  std::cout.clear();
  errno = 0;
  std::cout << std::endl;
  return complain("[output] expected a standard output that can be written, got: " + write_failure(errno),
                  kUserError);
}

void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);  // takes the lowest number, this one
  }
}

}  // namespace qslaw
