// Where the program's own shared libraries lie.
#pragma once
#include <filesystem>
#include <string>

namespace qslaw {

/// The file `name` beside the running program, in the ../lib of an installation, or above the tests of a
/// build folder; otherwise the bare name, which the loader looks up on its own path.
std::filesystem::path library_path(const std::string& name);

}  // namespace qslaw
