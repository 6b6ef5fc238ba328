# Warnings, sanitizers, compiler cache, linker.
add_library(qslaw_flags INTERFACE)
target_compile_options(qslaw_flags INTERFACE -Wall -Wextra $<$<BOOL:${QSLAW_WERROR}>:-Werror>)
# gcc 12 reports overlaps in std::string concatenation that cannot happen (GCC bug 105651).
target_compile_options(qslaw_flags INTERFACE $<$<AND:$<CXX_COMPILER_ID:GNU>,$<COMPILE_LANGUAGE:CXX>>:-Wno-restrict>)
# -ffp-contract=off: a fused multiply-add would let codes differ between CPUs (docs/method.md, "one quantizer").
target_compile_options(qslaw_flags INTERFACE -ffp-contract=off)
if(QSLAW_SANITIZE)
  target_compile_options(qslaw_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                                               -fno-omit-frame-pointer -O1
                         # gcc 12 with sanitizers sees uninitialized values inside <regex>.
                         -Wno-maybe-uninitialized)
  target_link_options(qslaw_flags INTERFACE -fsanitize=address,undefined)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need these to hit the cache (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  target_compile_options(qslaw_flags INTERFACE -fpch-preprocess)
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
