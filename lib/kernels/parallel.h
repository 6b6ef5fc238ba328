// Loops over several threads.
#pragma once
#include <cstdint>
#include <functional>

namespace qslaw {

/// fn(begin, end) over parts of begin..end of at least `grain` each, on LibTorch's threads (its number of
/// threads counts; within a parallel loop fn runs here). Use this instead of at::parallel_for: that one is a
/// header that runs serially, without a word, in files compiled without -fopenmp.
void parallel_for(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& fn);

}  // namespace qslaw
