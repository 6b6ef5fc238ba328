#include "core/write_failure.h"

#include <cerrno>
#include <cstring>

namespace qslaw {

std::string write_failure(int error) {
  const std::string reason = error == 0 ? "an error without a reason" : std::strerror(error);
  return error == ENOSPC ? reason + " (is the disk full?)" : reason;
}

}  // namespace qslaw
