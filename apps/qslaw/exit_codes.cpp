#include "exit_codes.h"

#include <iostream>

#include "core/progress.h"

namespace qslaw {

int complain(const std::string& message, int code) {
  clear_progress_line();
  std::cerr << "error: " << message << std::endl;
  return code;
}

}  // namespace qslaw
