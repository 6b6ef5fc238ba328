// Foreign text inside a message.
#pragma once
#include <string>

namespace qslaw {

/// `text` on one line, cut to a readable length.
std::string one_line(const std::string& text, size_t limit = 80);

}  // namespace qslaw
