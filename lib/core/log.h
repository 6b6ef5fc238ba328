// Log lines on stderr (and in a stage's log.txt). Takes finished strings: spdlog and LibTorch carry different
// fmt versions, so only log.cpp may include spdlog.
#pragma once
#include <string>

namespace qslaw {

void log_info(const std::string& message);
void log_warning(const std::string& message);
/// Nothing when this process has said the same before.
void log_warning_once(const std::string& message);

/// Show warnings only on stderr (`--quiet`); a LogFile gets every line all the same.
void set_quiet(bool quiet);

/// While it lives, log lines also go to `path` (appended). One at a time. UserError when it cannot be opened.
class LogFile {
 public:
  explicit LogFile(const std::string& path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

}  // namespace qslaw
