// Instruction sets for which the CPU kernels are compiled, and the choice between them at run time.
#pragma once
#include <cstdint>
#include <vector>

namespace qslaw::cpu {

/// In ascending order: a machine that has one has those before it.
enum class Isa : int32_t {
  plain,        // C++ for the baseline of the architecture
  avx2,         // with FMA, F16C and BMI2
  avx512,       // F, BW, DQ, VL
  avx512_bf16,  // products of bfloat16 pairs
};

const char* isa_name(Isa isa);

/// What this machine (and its operating system) can run, ascending; never empty.
const std::vector<Isa>& available_isas();

/// The one in use: the last available, unless a ForcedIsa is alive.
Isa active_isa();

/// Another instruction set for every thread as long as it lives. For tests and benchmarks, one at a time.
class ForcedIsa {
 public:
  explicit ForcedIsa(Isa isa);
  ~ForcedIsa();
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;
};

}  // namespace qslaw::cpu
