// What the machine and its control groups say of memory.
#include "core/machine_memory.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>

#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

constexpr int64_t kKiB = 1024;

}  // namespace

TEST_CASE("machine memory: the smaller of what the machine and its control groups leave") {
  const TemporaryFolder folder;
  const fs::path proc = folder.path() / "proc", groups = folder.path() / "groups";
  write(
      proc / "meminfo",
      "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   5000 kB\nSwapTotal:      1000 kB\n");
  const auto check = [&](int64_t available, int64_t total) {
    const MachineMemory memory = machine_memory(proc, groups);
    CHECK(memory.available == available);
    CHECK(memory.total == total);
  };
  check(5000 * kKiB, 9000 * kKiB);

  SECTION("version 2, the limit of an outer group") {
    write(proc / "self" / "cgroup", "0::/outer/inner\n");
    write(groups / "outer" / "inner" / "memory.max", "max\n");
    check(5000 * kKiB, 9000 * kKiB);
    write(groups / "outer" / "memory.max", "3072000\n");
    write(groups / "outer" / "memory.current", "2048000\n");
    check(1000 * kKiB, 4000 * kKiB);
    // Pages of files that were read are given up.
    write(groups / "outer" / "memory.stat", "anon 7\ninactive_file 512000\n");
    check(1500 * kKiB, 4000 * kKiB);
    // Swap that the group may not use.
    write(groups / "outer" / "memory.swap.max", "max\n");
    check(1500 * kKiB, 4000 * kKiB);
    write(groups / "outer" / "memory.swap.max", "512000\n");
    check(1500 * kKiB, 3500 * kKiB);
    write(groups / "outer" / "memory.swap.max", "0\n");
    check(1500 * kKiB, 3000 * kKiB);
  }
  SECTION("version 2 in a container, which sees its own group as the root") {
    write(proc / "self" / "cgroup", "0::/on/the/host\n");
    write(groups / "memory.max", "1024000\n");
    write(groups / "memory.current", "2048000\n");
    check(0, 2000 * kKiB);
  }
  SECTION("version 1") {
    write(proc / "self" / "cgroup", "5:cpu,cpuacct:/job\n4:memory:/job\n");
    write(groups / "memory" / "memory.limit_in_bytes", "9223372036854771712\n");
    check(5000 * kKiB, 9000 * kKiB);
    write(groups / "memory" / "job" / "memory.limit_in_bytes", "2048000\n");
    write(groups / "memory" / "job" / "memory.usage_in_bytes", "1024000\n");
    write(groups / "memory" / "job" / "memory.stat", "inactive_file 9\ntotal_inactive_file 102400\n");
    check(1100 * kKiB, 3000 * kKiB);
    write(groups / "memory" / "job" / "memory.memsw.limit_in_bytes", "9223372036854771712\n");
    check(1100 * kKiB, 3000 * kKiB);
    write(groups / "memory" / "job" / "memory.memsw.limit_in_bytes", "2048000\n");
    check(1100 * kKiB, 2000 * kKiB);
  }
}

TEST_CASE("machine memory: nothing known is no limit") {
  const TemporaryFolder folder;
  const MachineMemory memory = machine_memory(folder.path(), folder.path());
  CHECK(memory.available == std::numeric_limits<int64_t>::max());
  CHECK(memory.total == std::numeric_limits<int64_t>::max());
}
