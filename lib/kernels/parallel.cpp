#include "kernels/parallel.h"

#include <ATen/Parallel.h>

// This file alone is compiled with -fopenmp (CMakeLists.txt).
#ifndef _OPENMP
#error "at::parallel_for would run on one thread"
#endif

namespace qslaw {

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& fn) {
  at::parallel_for(begin, end, grain, [&fn](int64_t from, int64_t to) { fn(from, to); });
}

}  // namespace qslaw
