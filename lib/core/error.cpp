#include "core/error.h"

namespace qslaw {

void fail_check(const char* expression, const char* file, int line) {
  throw InternalError(concat(file, ":", line, ": check failed: ", expression));
}

}  // namespace qslaw
