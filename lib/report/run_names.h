// Names by which the runs of a page are told apart.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "report/run_folder.h"

namespace qslaw {

/// Absolute, without a slash at the end.
std::filesystem::path clean_path(const std::filesystem::path& path);

/// The last `count` names of the path: "runs/mine". REQUIRES: count > 0.
std::string path_end(const std::filesystem::path& path, size_t count);

/// Names runs by their folders where names are equal, with as many of the folders above as tell them apart.
/// The same folder twice has one name.
void tell_apart(std::vector<RunFolder>& runs);

}  // namespace qslaw
