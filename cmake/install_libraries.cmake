# Run by `cmake --install` with the qslaw_ variables of cmake/install.cmake: copies into lib/ what the program and the CUDA
# kernels need at run time and qslaw_copied_names matches, as it is on this machine when it is installed.
cmake_policy(VERSION 3.26)

# A macro, because file(INSTALL) adds to a variable of the caller (the list of installed files). Links are followed: a
# library is looked for under its soname, whatever its file is called.
macro(copy_library path)
  file(REAL_PATH "${path}" real_path)
  cmake_path(GET real_path PARENT_PATH real_folder)
  cmake_path(SET named_path "${path}")
  cmake_path(GET named_path FILENAME soname)
  file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib" TYPE PROGRAM RENAME "${soname}" FILES "${real_path}")
endmacro()

file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${qslaw_program}
  LIBRARIES ${qslaw_library} ${qslaw_cuda_kernels} ${qslaw_opened_libraries}
  RESOLVED_DEPENDENCIES_VAR found
  UNRESOLVED_DEPENDENCIES_VAR missing
  CONFLICTING_DEPENDENCIES_PREFIX several
  DIRECTORIES ${qslaw_torch}/lib)

foreach(name IN LISTS missing)
  if(name MATCHES "${qslaw_copied_names}")
    message(FATAL_ERROR "[install] expected ${name} where the loader finds it, got nothing: it cannot be copied")
  endif()
endforeach()

# A name found in several places (a CUDA toolkit beside NVIDIA's wheels): that from beside LibTorch, which the program in
# the build folder uses.
cmake_path(GET qslaw_torch PARENT_PATH packages)
foreach(name IN LISTS several_FILENAMES)
  list(GET several_${name} 0 chosen)
  foreach(path IN LISTS several_${name})
    cmake_path(IS_PREFIX packages "${path}" is_beside_torch)
    if(is_beside_torch)
      set(chosen "${path}")
    endif()
  endforeach()
  list(APPEND found "${chosen}")
endforeach()

foreach(library IN LISTS qslaw_opened_libraries found)
  cmake_path(GET library FILENAME name)
  if(NOT name MATCHES "${qslaw_copied_names}")
    continue()
  endif()
  copy_library("${library}")
  # Both open their other parts by name.
  set(parts)
  if(name MATCHES "^libcudnn(\\.so\\.[0-9]+)$")
    file(GLOB parts "${real_folder}/libcudnn_*${CMAKE_MATCH_1}")
  elseif(name MATCHES "^libnvrtc.*\\.so")
    file(GLOB parts "${real_folder}/libnvrtc-builtins.so.*")
  endif()
  foreach(part IN LISTS parts)
    copy_library("${part}")
  endforeach()
endforeach()
