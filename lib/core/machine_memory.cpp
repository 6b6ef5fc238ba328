#include "core/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

// Names of a control group's files.
struct GroupFiles {
  const char *limit, *usage, *cache;  // cache: the key in memory.stat of file pages that the kernel gives up
  const char* swap;                   // limit of swap
  bool swap_holds_memory;             // version 1 limits both together
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                                  "memory.memsw.limit_in_bytes", true};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file", "memory.swap.max", false};

// Unknown for "max" and a missing file.
int64_t number_in(const fs::path& file) {
  std::ifstream in(file);
  int64_t number = 0;
  return in >> number ? number : kUnknown;
}

// The number behind a name at the beginning of a line.
int64_t number_behind(const fs::path& file, const std::string& name, int64_t otherwise) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + " ") || line.starts_with(name + ":"))
      return std::stoll(line.substr(name.size() + 1));
  }
  return otherwise;
}

int64_t kibibytes(const fs::path& meminfo, const std::string& name, int64_t otherwise) {
  const int64_t number = number_behind(meminfo, name, otherwise);
  return number == kUnknown ? kUnknown : number * 1024;
}

// What the group may swap out of the machine's `swap`, which is all of it where nothing limits that.
int64_t group_swap(const fs::path& folder, const GroupFiles& files, int64_t limit, int64_t swap) {
  const int64_t most = number_in(folder / files.swap);
  if (most == kUnknown) return swap;
  return std::clamp<int64_t>(files.swap_holds_memory ? most - limit : most, 0, swap);
}

void lower_to_group(const fs::path& folder, const GroupFiles& files, int64_t swap, MachineMemory& memory) {
  const int64_t limit = number_in(folder / files.limit);
  if (limit >= kUnknown - swap) return;
  const int64_t used = number_in(folder / files.usage);
  const int64_t cache = number_behind(folder / "memory.stat", files.cache, 0);
  memory.total = std::min(memory.total, limit + group_swap(folder, files, limit, swap));
  if (used != kUnknown)
    memory.available = std::min(memory.available, std::max<int64_t>(0, limit - used + cache));
}

// The group at `path` below `root` and all above it. Inside a container the path may be the host's: what is
// not there has no limit.
void lower_to_groups(const fs::path& root, const fs::path& path, const GroupFiles& files, int64_t swap,
                     MachineMemory& memory) {
  for (fs::path below = path.relative_path(); !below.empty(); below = below.parent_path())
    lower_to_group(root / below, files, swap, memory);
  lower_to_group(root, files, swap, memory);
}

}  // namespace

MachineMemory machine_memory(const fs::path& proc, const fs::path& groups) {
  const fs::path meminfo = proc / "meminfo";
  const int64_t total = kibibytes(meminfo, "MemTotal", kUnknown), swap = kibibytes(meminfo, "SwapTotal", 0);
  MachineMemory memory{kibibytes(meminfo, "MemAvailable", kUnknown),
                       total == kUnknown ? kUnknown : total + swap};
  // A line is "number:controllers:path"; version 2 has no controllers there.
  std::ifstream in(proc / "self" / "cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path path = line.substr(second + 1);
    if (controllers == ",,") lower_to_groups(groups, path, kVersion2, swap, memory);
    if (controllers.find(",memory,") != std::string::npos)
      lower_to_groups(groups / "memory", path, kVersion1, swap, memory);
  }
  return memory;
}

}  // namespace qslaw
