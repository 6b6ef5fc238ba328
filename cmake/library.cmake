# qslaw_library(NAME [TORCH] [DEPENDS ...]): every .cpp of the folder, with the shared flags and, with TORCH, the
# precompiled LibTorch headers.
add_library(qslaw_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(qslaw_pch PRIVATE qslaw_flags qslaw_torch)
target_precompile_headers(qslaw_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)

function(qslaw_library name)
  cmake_parse_arguments(ARG "TORCH" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp methods/*.cpp)
  add_library(qslaw_${name} STATIC ${sources})
  target_include_directories(qslaw_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  target_link_libraries(qslaw_${name} PUBLIC ${ARG_DEPENDS} PRIVATE qslaw_flags)
  if(ARG_TORCH)
    target_link_libraries(qslaw_${name} PUBLIC qslaw_torch)
    target_precompile_headers(qslaw_${name} REUSE_FROM qslaw_pch)
  endif()
endfunction()

# An executable that shares the precompiled header: it must be compiled as the libraries are (-fPIC, not -fPIE).
function(qslaw_use_pch target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM qslaw_pch)
endfunction()
