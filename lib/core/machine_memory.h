// How much memory the machine has for this process.
#pragma once
#include <cstdint>
#include <filesystem>

namespace qslaw {

/// In bytes; the largest int64_t where the system does not say.
struct MachineMemory {
  int64_t available = 0;  // without swapping or taking from other processes
  int64_t total = 0;      // at the very most, with swap
};

/// Linux's MemAvailable, MemTotal and SwapTotal, lowered to the limits of the control groups (version 1 or 2)
/// that the process is in. `proc` and `groups`: where these file systems are mounted.
MachineMemory machine_memory(const std::filesystem::path& proc = "/proc",
                             const std::filesystem::path& groups = "/sys/fs/cgroup");

}  // namespace qslaw
