#include "exit_codes.h"

#include <iostream>

#include "core/progress.h"

namespace qslaw {

int complain(const std::string& message, int code) {
  clear_progress_line();
  std::cerr << "error: " << message << std::endl;
  return code;
}

int after_output(int code) {
  std::cout.flush();
  if (code != 0 || std::cout) return code;
  return complain("[output] expected a standard output that can be written, got an error (is the disk full?)",
                  kUserError);
}

}  // namespace qslaw
