#include "core/cpu_isa.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"

namespace qslaw::cpu {
namespace {

constexpr int32_t kNotForced = -1;
std::atomic<int32_t> forced{kNotForced};

// The compiler's table behind __builtin_cpu_supports also asks whether the system saves the wide registers.
std::vector<Isa> detect() {
  std::vector<Isa> found{Isa::plain};
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
  if (!avx2) return found;
  found.push_back(Isa::avx2);
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!avx512) return found;
  found.push_back(Isa::avx512);
  if (__builtin_cpu_supports("avx512bf16")) found.push_back(Isa::avx512_bf16);
#endif
  return found;
}

}  // namespace

const char* isa_name(Isa isa) {
  constexpr const char* kNames[] = {"plain", "avx2", "avx512", "avx512_bf16"};
  return kNames[static_cast<int32_t>(isa)];
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> list = detect();
  return list;
}

Isa active_isa() {
  const int32_t isa = forced.load(std::memory_order_relaxed);
  return isa == kNotForced ? available_isas().back() : static_cast<Isa>(isa);
}

ForcedIsa::ForcedIsa(Isa isa) {
  const std::vector<Isa>& list = available_isas();
  QSLAW_CHECK(std::find(list.begin(), list.end(), isa) != list.end());
  forced = static_cast<int32_t>(isa);
}

ForcedIsa::~ForcedIsa() {
  forced = kNotForced;
}

}  // namespace qslaw::cpu
