#include "core/error.h"

namespace qslaw {

std::string without_place(const std::string& message) {
  const size_t end = message.find("] ");
  return message.starts_with("[") && end != message.npos ? message.substr(end + 2) : message;
}

void fail_check(const char* expression, const char* file, int line) {
  throw InternalError(concat(file, ":", line, ": check failed: ", expression));
}

}  // namespace qslaw
