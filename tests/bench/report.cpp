#include "bench/report.h"

#include <iostream>

#include "core/text.h"

namespace qslaw::bench {
namespace {

void print(const char* kind, const nlohmann::json& entry) {
  std::cout << nlohmann::json({{kind, entry}}).dump() + "\n" << std::flush;
}

void print_target(const std::string& what, double value, const std::string& wanted, bool reached) {
  print("target", {{"what", what}, {"value", value}, {"wanted", wanted}, {"reached", reached}});
}

}  // namespace

void Report::result(const nlohmann::json& entry) {
  print("result", entry);
}

void Report::at_least(const std::string& what, double value, double limit) {
  print_target(what, value, concat("at least ", limit), value >= limit);
}

void Report::at_most(const std::string& what, double value, double limit) {
  print_target(what, value, concat("at most ", limit), value <= limit);
}

void Report::attempt(const std::string& name, const std::function<void()>& measurement) {
  try {
    measurement();
  } catch (const std::exception& error) {
    ++failures_;
    const std::string words = error.what();  // LibTorch's go on with a trace
    result({{"name", name}, {"error", words.substr(0, words.find('\n'))}});
  }
}

}  // namespace qslaw::bench
