// One progress bar on stderr: a redrawn line on a terminal, a plain line every few seconds otherwise.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace qslaw {

/// Counts from `start` to `total` units, with rate and remaining time.
class Progress {
 public:
  /// `unit` is the plural noun of what is counted ("steps", "samples").
  Progress(std::string title, int64_t total, std::string unit, int64_t start = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units are finished; `note` is shown behind the bar (a loss, say).
  void update(int64_t done, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  void draw(int64_t done, const std::string& note, double elapsed_s);

  std::string title_, unit_;
  int64_t total_, start_;
  bool terminal_;
  Clock::time_point began_, last_drawn_;
};

/// As much of `line` from its beginning as fits into `columns` columns of a terminal, never cut within a
/// UTF-8 sequence. A character beyond ASCII counts as two columns, which is the most that one takes.
std::string fit_columns(const std::string& line, int columns);

/// Erases the bar's line so that a log line can be written; the next update draws it again.
void clear_progress_line();

/// No bars and no progress lines at all (`--quiet`).
void set_progress_hidden(bool hidden);

}  // namespace qslaw
