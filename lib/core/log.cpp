#include "core/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "core/error.h"
#include "core/progress.h"

namespace qslaw {
namespace {

spdlog::color_mode color_mode() {
  return std::getenv("NO_COLOR") ? spdlog::color_mode::never : spdlog::color_mode::automatic;
}

spdlog::logger& logger() {
  static auto instance = [] {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(color_mode());
    auto made = std::make_shared<spdlog::logger>("qslaw", sink);
    made->set_pattern("%H:%M:%S %^%l%$ %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

}  // namespace

void log_info(const std::string& message) {
  clear_progress_line();
  logger().info("{}", message);
}

void log_warning(const std::string& message) {
  clear_progress_line();
  logger().warn("{}", message);
}

void log_warning_once(const std::string& message) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  if (said.insert(message).second) log_warning(message);
}

void set_quiet(bool quiet) {
  // Of stderr alone: log.txt is what later says how a quiet run went.
  logger().sinks().front()->set_level(quiet ? spdlog::level::warn : spdlog::level::info);
}

LogFile::LogFile(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    sink->set_pattern("%Y-%m-%d %H:%M:%S %l %v");
    logger().sinks().push_back(sink);
  } catch (const spdlog::spdlog_ex& problem) {
    fail("log", problem.what());
  }
}

LogFile::~LogFile() {
  logger().sinks().pop_back();
}

}  // namespace qslaw
