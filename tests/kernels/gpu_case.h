// What tests on a GPU share. They carry the tag [gpu] and pass with a warning where there is none.
#pragma once
#include <c10/core/Device.h>

#include <catch2/catch.hpp>
#include <string>

#include "core/error.h"
#include "kernels/cuda_table.h"

namespace qslaw {

/// As the program names it: LibTorch's memory statistics want a number.
inline const c10::Device kGpu{c10::kCUDA, 0};

/// "" when CUDA can be used, otherwise what load_cuda says.
inline std::string cuda_problem() {
  try {
    load_cuda();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

/// False with a warning where CUDA cannot be used.
inline bool has_gpu() {
  const std::string problem = cuda_problem();
  if (!problem.empty()) WARN("not run: " << problem);
  return problem.empty();
}

}  // namespace qslaw
