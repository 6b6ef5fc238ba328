#include "report/host_memory.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>

namespace qslaw {
namespace {

std::atomic<int64_t> peak_before_mark = 0;

void restart_system_peak() {
#ifdef __GLIBC__
  malloc_trim(0);  // what was freed and is kept for later would count for what comes now
#endif
  constexpr char kResetPeak = '5';  // proc(5), /proc/pid/clear_refs
  std::ofstream("/proc/self/clear_refs") << kResetPeak;
}

}  // namespace

int64_t peak_host_bytes_since_mark() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

int64_t current_host_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total_pages = 0, resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) return 0;
  return resident_pages * static_cast<int64_t>(sysconf(_SC_PAGESIZE));
}

int64_t peak_host_bytes() {
  return std::max(peak_before_mark.load(), peak_host_bytes_since_mark());
}

void reset_peak_host_bytes() {
  peak_before_mark = 0;
  restart_system_peak();
}

void mark_peak_host_bytes() {
  peak_before_mark = peak_host_bytes();
  restart_system_peak();
}

}  // namespace qslaw
