// Why a write failed, as messages say it.
#pragma once
#include <string>

namespace qslaw {

/// What the system says of `error` (errno), and where to look when the disk is full.
std::string write_failure(int error);

}  // namespace qslaw
