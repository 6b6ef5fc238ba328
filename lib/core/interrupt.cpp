#include "core/interrupt.h"

#include <initializer_list>

namespace qslaw {
namespace {

StopFlag own_flag = 0;
StopFlag* stop_flag = &own_flag;

void on_signal(int signal) {
  if (*stop_flag && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  *stop_flag = 1;
}

}  // namespace

StopFlag& watch_for_stop_signals() {
  for (int signal : {SIGTERM, SIGINT, SIGUSR1})
    std::signal(signal, on_signal);
  // A lost connection; nohup has it ignored, which holds.
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  return *stop_flag;
}

void use_stop_flag(StopFlag& flag) {
  stop_flag = &flag;
}

bool stop_requested() {
  return *stop_flag != 0;
}

void request_stop(bool value) {
  *stop_flag = value ? 1 : 0;
}

void ignore_write_signals() {
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace qslaw
