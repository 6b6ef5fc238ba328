// Runs the Python of the project's .venv, where the programs live that the tests compare with.
//
// Without the .venv such a test fails: passing unseen, it would hide that nothing was compared. Where there
// can be none, QSLAW_TESTS_WITHOUT_PYTHON=1 in the environment lets these tests pass with a warning.
#pragma once
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

/// True when the script succeeded; fails the test when the script fails (its output goes to the test's) or
/// when there is no .venv. Only with QSLAW_TESTS_WITHOUT_PYTHON=1 a missing .venv gives a warning and false.
inline bool run_python(const std::vector<std::string>& arguments) {
  const std::filesystem::path python = std::filesystem::path(QSLAW_SOURCE) / ".venv" / "bin" / "python";
  if (!std::filesystem::exists(python)) {
    const char* waived = std::getenv("QSLAW_TESTS_WITHOUT_PYTHON");
    const bool may_pass = waived && std::string(waived) == "1";
    INFO("there is no " << python.string() << " (scripts/test.sh makes it)");
    if (!may_pass) FAIL("the comparison needs it; QSLAW_TESTS_WITHOUT_PYTHON=1 lets the test pass without");
    WARN("skipped the comparison");
    return false;
  }
  std::string command = "'" + python.string() + "'";
  for (const auto& argument : arguments)
    command += " '" + argument + "'";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
  return true;
}

}  // namespace qslaw
