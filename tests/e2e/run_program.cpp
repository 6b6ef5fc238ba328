#include "run_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace qslaw {
namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int anonymous_file(const char* name) {
  const int descriptor = ::memfd_create(name, MFD_CLOEXEC);
  REQUIRE(descriptor >= 0);
  return descriptor;
}

std::string content(int descriptor) {
  std::string bytes(static_cast<size_t>(::lseek(descriptor, 0, SEEK_END)), '\0');
  const ssize_t count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  REQUIRE(count == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become_program(char* const* argv, int out, int err, const ProgramLimits& limits) {
  if (limits.file_bytes > 0) {
    ::signal(SIGXFSZ, SIG_DFL);  // ends the process, which is the program's to prevent
    const rlimit limit{static_cast<rlim_t>(limits.file_bytes), static_cast<rlim_t>(limits.file_bytes)};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(126);
  }
  if (limits.address_bytes > 0) {
    const rlimit limit{static_cast<rlim_t>(limits.address_bytes), static_cast<rlim_t>(limits.address_bytes)};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(126);
  }
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, const ProgramLimits& limits)
    : out_(anonymous_file("out")), err_(anonymous_file("err")), began_(now_s()) {
  std::vector<std::string> words = {QSLAW_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  child_ = ::fork();
  REQUIRE(child_ >= 0);
  if (child_ == 0) become_program(argv.data(), out_, err_, limits);
}

RunningProgram::~RunningProgram() {
  if (!ended_) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

void RunningProgram::remember_end(int status) {
  ended_ = true;
  result_.seconds = now_s() - began_;
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
}

bool RunningProgram::running() {
  int status = 0;
  if (!ended_ && ::waitpid(child_, &status, WNOHANG) == child_) remember_end(status);
  return !ended_;
}

bool RunningProgram::has_loaded(const std::string& library) const {
  std::ifstream maps("/proc/" + std::to_string(child_) + "/maps");
  const std::string mapped((std::istreambuf_iterator<char>(maps)), std::istreambuf_iterator<char>());
  return mapped.find(library) != std::string::npos;
}

void RunningProgram::send(int signal) const {
  if (!ended_) ::kill(child_, signal);
}

ProgramResult RunningProgram::wait() {
  int status = 0;
  if (!ended_) {
    REQUIRE(::waitpid(child_, &status, 0) == child_);
    remember_end(status);
  }
  result_.out = content(out_);
  result_.err = content(err_);
  return result_;
}

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramLimits& limits) {
  return RunningProgram(arguments, limits).wait();
}

bool wait_until(RunningProgram& program, const std::function<bool()>& condition) {
  while (!condition()) {
    if (!program.running()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::vector<std::string> error_lines(const ProgramResult& result) {
  std::vector<std::string> lines;
  std::istringstream in(result.err);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("error: ", 0) == 0) lines.push_back(line);
  }
  return lines;
}

void require_user_error(const ProgramResult& result, const std::vector<std::string>& parts) {
  INFO(result.err);
  CHECK(result.exit_code == 2);
  const auto lines = error_lines(result);
  REQUIRE(lines.size() == 1);
  for (const std::string& part : parts)
    CHECK_THAT(lines[0], Catch::Contains(part));
}

void require_success(const ProgramResult& result) {
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
}

}  // namespace qslaw
