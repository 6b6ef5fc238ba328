// QSLAW_COPIES: a function of plain loops that is compiled once per instruction set.
#pragma once
#include "core/cpu_isa.h"

/// A helper of such functions: it has to become part of each copy, or it would stay compiled for the oldest.
#define QSLAW_INLINE inline __attribute__((always_inline))

/// Defines `result name parameters` to return `body arguments`, where `body` is a QSLAW_INLINE function; both
/// lists with their parentheses. Each call goes to the copy for active_isa(), so that a ForcedIsa reaches
/// every one. The copies' instructions are those of cpu_isa.h (of AVX-512 also those for 8 and 16 bits:
/// without, bfloat16 would be spread over 256).
#if defined(__x86_64__)
#define QSLAW_AVX2_TARGET "avx2,fma,f16c,bmi2"
#define QSLAW_AVX512_TARGET QSLAW_AVX2_TARGET ",avx512f,avx512bw,avx512dq,avx512vl"
#define QSLAW_COPIES(result, name, parameters, body, arguments)                         \
  __attribute__((target(QSLAW_AVX2_TARGET))) static result name##_avx2 parameters {     \
    return body arguments;                                                              \
  }                                                                                     \
  __attribute__((target(QSLAW_AVX512_TARGET))) static result name##_avx512 parameters { \
    return body arguments;                                                              \
  }                                                                                     \
  result name parameters {                                                              \
    const qslaw::cpu::Isa isa = qslaw::cpu::active_isa();                               \
    if (isa >= qslaw::cpu::Isa::avx512) return name##_avx512 arguments;                 \
    if (isa == qslaw::cpu::Isa::avx2) return name##_avx2 arguments;                     \
    return body arguments;                                                              \
  }
#else
#define QSLAW_COPIES(result, name, parameters, body, arguments) \
  result name parameters {                                      \
    return body arguments;                                      \
  }
#endif
