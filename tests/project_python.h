// Runs the Python of the project's .venv, where the programs live that the tests compare with.
#pragma once
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

/// Fails the test when the script fails; its output goes to the test's. Warns and returns false when there is
/// no .venv.
inline bool run_python(const std::vector<std::string>& arguments) {
  const std::filesystem::path python = std::filesystem::path(QSLAW_SOURCE) / ".venv" / "bin" / "python";
  if (!std::filesystem::exists(python)) {
    WARN("skipped the comparison: there is no " << python
                                                << " (scripts/setup.sh and scripts/test.sh make it)");
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
