// The main function of the small programs that benchmarks run.
#pragma once
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "core/error.h"

namespace qslaw {

/// run(arguments without the program's name) with exit codes as the program has them: 2 for what the user can
/// mend, 1 for a bug.
template <typename Run>
int tool_main(int argc, char** argv, const Run& run) {
  try {
    return run(std::vector<std::string>{argv + 1, argv + argc});
  } catch (const UserError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "error: [internal] " << error.what() << "\n";
    return 1;
  }
}

}  // namespace qslaw
