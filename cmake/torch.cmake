# LibTorch's CPU side as an imported target. find_package(Torch) fails where the wheel was built with CUDA and
# the machine has no toolkit, so only its folder is looked up here. CMAKE_PREFIX_PATH wins over the .venv wheel.
find_path(QSLAW_TORCH_ROOT lib/libtorch_cpu.so
  HINTS ${CMAKE_PREFIX_PATH}
  PATH_SUFFIXES . ../.. torch
  NO_DEFAULT_PATH)
if(NOT QSLAW_TORCH_ROOT)
  file(GLOB venv_torch ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  find_path(QSLAW_TORCH_ROOT lib/libtorch_cpu.so HINTS ${venv_torch} NO_DEFAULT_PATH REQUIRED)
endif()
get_filename_component(QSLAW_TORCH_ROOT ${QSLAW_TORCH_ROOT} ABSOLUTE)
message(STATUS "LibTorch: ${QSLAW_TORCH_ROOT}")

add_library(qslaw_torch INTERFACE)
target_include_directories(qslaw_torch SYSTEM INTERFACE
  ${QSLAW_TORCH_ROOT}/include ${QSLAW_TORCH_ROOT}/include/torch/csrc/api/include)
target_link_libraries(qslaw_torch INTERFACE ${QSLAW_TORCH_ROOT}/lib/libtorch_cpu.so ${QSLAW_TORCH_ROOT}/lib/libc10.so)
# The OpenMP runtime that LibTorch itself uses: a second one would start threads of its own.
file(GLOB torch_openmp ${QSLAW_TORCH_ROOT}/lib/libgomp*.so*)
if(NOT torch_openmp)
  find_library(torch_openmp NAMES gomp libgomp.so.1 REQUIRED)
endif()
target_link_libraries(qslaw_torch INTERFACE ${torch_openmp})
# libtorch_cpu.so of a CUDA wheel needs libcudart and libcupti; the loader finds them through torch's own RPATH.
target_link_options(qslaw_torch INTERFACE -Wl,--allow-shlib-undefined)

find_program(QSLAW_NVCC nvcc HINTS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin)
if(QSLAW_CUDA STREQUAL "on" AND NOT QSLAW_NVCC)
  message(FATAL_ERROR "QSLAW_CUDA=on, but nvcc was not found")
endif()
# C++20 needs nvcc 12, and kernels share LibTorch's CUDA runtime. Debian's own nvcc is 11.8.
set(nvcc_fits ON)
if(QSLAW_NVCC AND NOT QSLAW_CUDA STREQUAL "off")
  execute_process(COMMAND ${QSLAW_NVCC} --version OUTPUT_VARIABLE nvcc_says ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+)" matched "${nvcc_says}")
  set(nvcc_major "${CMAKE_MATCH_1}")
  set(torch_major "${nvcc_major}")
  if(EXISTS ${QSLAW_TORCH_ROOT}/version.py)
    file(STRINGS ${QSLAW_TORCH_ROOT}/version.py torch_says REGEX "^cuda.*[0-9]+\\.")
    string(REGEX REPLACE ".*'([0-9]+)\\..*" "\\1" torch_major "${torch_says}")
  endif()
  if(NOT nvcc_major OR nvcc_major LESS 12 OR NOT nvcc_major STREQUAL "${torch_major}")
    set(nvcc_fits OFF)
    set(why "expected nvcc of LibTorch's CUDA ${torch_major}, 12 or later, got release \"${nvcc_major}\" (${QSLAW_NVCC})")
    if(QSLAW_CUDA STREQUAL "on")
      message(FATAL_ERROR "QSLAW_CUDA=on, but ${why}")
    endif()
    message(STATUS "No CUDA kernels: ${why}")
  endif()
endif()
set(QSLAW_HAVE_NVCC OFF)
if(QSLAW_NVCC AND nvcc_fits AND NOT QSLAW_CUDA STREQUAL "off" AND EXISTS ${QSLAW_TORCH_ROOT}/lib/libtorch_cuda.so)
  set(QSLAW_HAVE_NVCC ON)
  set(CMAKE_CUDA_COMPILER ${QSLAW_NVCC})
  set(CMAKE_CUDA_ARCHITECTURES ${QSLAW_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
endif()
message(STATUS "CUDA kernels: ${QSLAW_HAVE_NVCC}")
