#include "report/run_names.h"

#include <algorithm>

namespace fs = std::filesystem;

namespace qslaw {

fs::path clean_path(const fs::path& path) {
  return (fs::absolute(path) / "").lexically_normal().parent_path();
}

std::string path_end(const fs::path& path, size_t count) {
  fs::path rest = clean_path(path), end = rest.filename();
  for (size_t i = 1; i < count && rest.has_relative_path(); ++i) {
    rest = rest.parent_path();
    end = rest.filename() / end;
  }
  return end.string();
}

void tell_apart(std::vector<RunFolder>& runs) {
  const auto shares_name = [&](const RunFolder& run) {
    return std::any_of(runs.begin(), runs.end(), [&](const RunFolder& other) {
      return other.name == run.name && clean_path(other.path) != clean_path(run.path);
    });
  };
  // Whole paths differ, so that there is an end.
  for (size_t count = 1;; ++count) {
    std::vector<RunFolder*> equal;
    for (RunFolder& run : runs) {
      if (shares_name(run)) equal.push_back(&run);
    }
    if (equal.empty()) return;
    for (RunFolder* run : equal)
      run->name = path_end(run->path, count);
  }
}

}  // namespace qslaw
