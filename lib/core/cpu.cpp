#include "core/cpu.h"

#include <cstdlib>

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qslaw {
namespace {

#if defined(__linux__) && defined(__x86_64__)
bool reports_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1U << 24)) != 0;
}

// Some hypervisors pass AMX through but not the leaf that describes its tiles; oneDNN then loads an empty
// configuration.
bool describes_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(0x1D, 0, &a, &b, &c, &d) != 0 && a >= 1;
}

bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

void prepare_cpu() {
#if defined(__linux__) && defined(__x86_64__)
  if (reports_amx() && !(describes_tiles() && may_use_tiles())) {
    setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16", /*overwrite=*/0);
  }
#endif
}

}  // namespace qslaw
