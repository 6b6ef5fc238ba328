#include "core/library_path.h"

namespace fs = std::filesystem;

namespace qslaw {

fs::path library_path(const std::string& name) {
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& candidate :
       {folder / name, folder.parent_path() / "lib" / name, folder.parent_path() / name}) {
    if (fs::exists(candidate, ignored)) return candidate;
  }
  return name;
}

}  // namespace qslaw
