# `cmake --install build --prefix DIR` gives a folder that runs elsewhere: bin/qslaw, lib/ with the small libraries it
# needs and the CUDA kernels, share/qslaw with recipes and docs. LibTorch stays outside (its build-time folder is the last
# entry of the RPATH) unless QSLAW_BUNDLE_TORCH is on: then its libraries are copied into lib/ as well.
include(GNUInstallDirs)
set(small_libraries "sentencepiece|turbojpeg|yaml-cpp|spdlog|fmt|crypto|protobuf|absl|tcmalloc")

if(QSLAW_BUNDLE_TORCH)
  set(torch_rpath "")
else()
  set(torch_rpath ":${QSLAW_TORCH_ROOT}/lib")
endif()
set_target_properties(qslaw PROPERTIES INSTALL_RPATH "$ORIGIN/../lib${torch_rpath}")
install(TARGETS qslaw RUNTIME DESTINATION bin)
if(QSLAW_HAVE_NVCC)
  set_target_properties(qslaw_cuda PROPERTIES INSTALL_RPATH "$ORIGIN${torch_rpath}")
  install(TARGETS qslaw_cuda LIBRARY DESTINATION lib)
endif()
install(DIRECTORY recipes docs DESTINATION share/qslaw PATTERN "fixtures" EXCLUDE)
install(FILES README.md DESTINATION share/qslaw)

# The system libraries the program was linked with, found when it is installed, not when it is configured.
install(CODE "
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES \$<TARGET_FILE:qslaw>
       RESOLVED_DEPENDENCIES_VAR found UNRESOLVED_DEPENDENCIES_VAR missing
       DIRECTORIES \"${QSLAW_TORCH_ROOT}/lib\")
  foreach(library IN LISTS found)
    get_filename_component(name \"\${library}\" NAME)
    if(name MATCHES \"${small_libraries}\")
      file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib\" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN
           FILES \"\${library}\")
    elseif(${QSLAW_BUNDLE_TORCH} AND name MATCHES \"torch|c10|gomp|cudart|cupti\")
      file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib\" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN
           FILES \"\${library}\")
    endif()
  endforeach()
")
