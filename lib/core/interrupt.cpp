#include "core/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace qslaw {
namespace {

volatile std::sig_atomic_t stop_flag = 0;

void on_signal(int signal) {
  if (stop_flag && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  stop_flag = 1;
}

}  // namespace

void watch_for_stop_signals() {
  for (int signal : {SIGTERM, SIGINT, SIGUSR1})
    std::signal(signal, on_signal);
}

bool stop_requested() {
  return stop_flag != 0;
}

void request_stop(bool value) {
  stop_flag = value ? 1 : 0;
}

}  // namespace qslaw
