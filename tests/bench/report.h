// What qslaw_bench prints: one line of JSON per figure, as soon as it is there, so that a run that is stopped
// keeps what it has measured. scripts/gpu_check.sh reads the lines by their first key.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace qslaw::bench {

class Report {
 public:
  /// {"result": entry}.
  void result(const nlohmann::json& entry);
  /// {"target": {"what", "value", "wanted", "reached"}}: a figure and what is wanted of it.
  void at_least(const std::string& what, double value, double limit);
  void at_most(const std::string& what, double value, double limit);
  /// Runs a measurement. What it throws becomes a result with "name" and "error", and those behind it go on.
  void attempt(const std::string& name, const std::function<void()>& measurement);
  /// Of attempts.
  int failures() const { return failures_; }

 private:
  int failures_ = 0;
};

}  // namespace qslaw::bench
