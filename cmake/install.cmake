# `cmake --install build --prefix DIR` gives a folder that can be moved: bin/qslaw, lib/ with its own library, the small ones it
# needs and the CUDA kernels, share/qslaw with recipes and docs. LibTorch stays where it is (its folder is the last entry of the
# RPATH and the only absolute one; the loader looks into LD_LIBRARY_PATH before) unless QSLAW_BUNDLE_TORCH is on: then its
# libraries and NVIDIA's are copied into lib/ as well. tests/install_test.sh tries the folder that the build is configured for.
set(copied_names "sentencepiece|simdjson|turbojpeg|webp|gif|yaml-cpp|spdlog|fmt|crypto|protobuf|absl|tcmalloc")
set(torch_rpath ":${QSLAW_TORCH_ROOT}/lib")
set(opened_libraries)
if(QSLAW_BUNDLE_TORCH)
  # Not libcuda, which belongs to the machine's driver.
  string(APPEND copied_names "|torch|c10|caffe2|gomp|cudart|cupti|cublas|cudnn|cufft|cufile|curand|cusolver|cusparse"
         "|nccl|nvrtc|nvJitLink|nvshmem")
  set(torch_rpath "")
endif()
set_target_properties(qslaw PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
set_target_properties(qslaw_program PROPERTIES INSTALL_RPATH "$ORIGIN${torch_rpath}")
install(TARGETS qslaw RUNTIME DESTINATION bin)
install(TARGETS qslaw_program LIBRARY DESTINATION lib)

set(cuda_kernels)
if(QSLAW_HAVE_NVCC)
  set_target_properties(qslaw_cuda PROPERTIES INSTALL_RPATH "$ORIGIN${torch_rpath}")
  install(TARGETS qslaw_cuda LIBRARY DESTINATION lib)
  set(cuda_kernels $<TARGET_FILE:qslaw_cuda>)
  if(QSLAW_BUNDLE_TORCH)
    # LibTorch's CUDA side opens them by name when it needs them: no other library names them.
    file(GLOB opened_libraries ${QSLAW_TORCH_ROOT}/lib/libcaffe2_nvrtc.so ${QSLAW_TORCH_ROOT}/lib/libtorch_cuda_linalg.so)
  endif()
endif()
install(DIRECTORY recipes docs DESTINATION share/qslaw PATTERN "fixtures" EXCLUDE)
install(FILES README.md DESTINATION share/qslaw)

# What scripts/gpu_check.sh runs where there is a GPU, only on demand (--component tests). Tests tagged [gpu] find no fixtures there.
if(QSLAW_TESTS)
  set(gpu_programs test_kernels test_model test_quant test_train test_eval qslaw_bench)
  set_target_properties(${gpu_programs} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib${torch_rpath}")
  install(TARGETS ${gpu_programs} RUNTIME DESTINATION tests COMPONENT tests EXCLUDE_FROM_ALL)
  install(PROGRAMS scripts/gpu_check.sh scripts/bench/peer_tune.py DESTINATION tests COMPONENT tests EXCLUDE_FROM_ALL)
endif()

install(CODE "
  set(qslaw_program \"$<TARGET_FILE:qslaw>\")
  set(qslaw_library \"$<TARGET_FILE:qslaw_program>\")
  set(qslaw_cuda_kernels \"${cuda_kernels}\")
  set(qslaw_opened_libraries \"${opened_libraries}\")
  set(qslaw_copied_names \"${copied_names}\")
  set(qslaw_torch \"${QSLAW_TORCH_ROOT}\")
")
install(SCRIPT cmake/install_libraries.cmake)
