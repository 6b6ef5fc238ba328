// How long something takes.
#pragma once
#include <chrono>

namespace qslaw {

/// Runs from its making on, by a clock that no one sets.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace qslaw
