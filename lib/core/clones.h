// QSLAW_CLONES: compiles a function of plain loops once per instruction set; the loader picks one.
#pragma once

// x86-64-v4 is AVX-512 with its instructions for 8 and 16 bits (avx512f alone would spread bfloat16 over
// 256). The resolver of target_clones runs before the sanitizers' runtime is ready.
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define QSLAW_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define QSLAW_CLONES
#endif

/// A helper of such functions: it has to become part of each copy, or it would stay compiled for the oldest.
#define QSLAW_INLINE inline __attribute__((always_inline))
