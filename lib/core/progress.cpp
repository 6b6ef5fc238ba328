#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "core/log.h"
#include "core/text.h"

namespace qslaw {
namespace {

constexpr double kTerminalInterval_s = 0.1;
constexpr double kPlainInterval_s = 10.0;
constexpr int kBarWidth = 24;
constexpr int kUsualColumns = 80;

std::atomic<bool> line_drawn{false};
std::atomic<bool> hidden{false};

std::string bar(double share) {
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarWidth);
  return "[" + std::string(static_cast<size_t>(filled), '#') +
         std::string(static_cast<size_t>(kBarWidth - filled), '.') + "]";
}

// Asked each time: a window is resized meanwhile.
int terminal_columns() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int number = columns ? std::atoi(columns) : 0;
  return number > 0 ? number : kUsualColumns;
}

}  // namespace

std::string fit_columns(const std::string& line, int columns) {
  for (size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if ((byte & 0xC0) == 0x80) continue;  // goes with the byte that leads it
    columns -= byte < 0x80 ? 1 : 2;
    if (columns < 0) return line.substr(0, i);
  }
  return line;
}

void clear_progress_line() {
  if (line_drawn.exchange(false)) std::fputs("\r\033[K", stderr);
}

void set_progress_hidden(bool value) {
  hidden = value;
}

Progress::Progress(std::string title, int64_t total, std::string unit, int64_t start)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(start),
      terminal_(isatty(STDERR_FILENO) == 1),
      began_(Clock::now()),
      last_drawn_(began_) {}

Progress::~Progress() {
  clear_progress_line();
}

void Progress::update(int64_t done, const std::string& note) {
  if (hidden) return;
  const auto now = Clock::now();
  const double since_last = std::chrono::duration<double>(now - last_drawn_).count();
  if (since_last < (terminal_ ? kTerminalInterval_s : kPlainInterval_s) && done < total_) return;
  if (!terminal_ && done >= total_ && since_last < kPlainInterval_s) return;
  last_drawn_ = now;
  draw(done, note, std::chrono::duration<double>(now - began_).count());
}

void Progress::draw(int64_t done, const std::string& note, double elapsed_s) {
  const double rate = elapsed_s > 0 ? static_cast<double>(done - start_) / elapsed_s : 0.0;
  const double remaining_s = rate > 0 ? static_cast<double>(total_ - done) / rate : 0.0;
  const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 1.0;
  const std::string line = concat(title_, " ", terminal_ ? bar(share) + " " : "", done, "/", total_, " ",
                                  unit_, ", ", format_fixed(rate, rate < 10 ? 2 : 0), " ", unit_, "/s, ",
                                  format_seconds(remaining_s), " left", note.empty() ? "" : ", " + note);
  if (terminal_) {
    // A line that wraps could not be erased as one. Some terminals wrap at the last column already.
    std::fprintf(stderr, "\r\033[K%s", fit_columns(line, terminal_columns() - 1).c_str());
    std::fflush(stderr);
    line_drawn = true;
  } else {
    log_info(line);
  }
}

}  // namespace qslaw
