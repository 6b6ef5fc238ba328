// Times of device work, for qslaw_bench.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace qslaw::bench {

struct Setting {
  at::Device device = at::kCPU;
  bool small = false;  // sizes that a CPU does in a second, to try the program
};

/// Seconds of one call: the median over a few runs of as many calls as fill 20 ms, and their range.
struct Timing {
  double median = 0.0, low = 0.0, high = 0.0;
};

/// `work` gets the number of the call and may leave work queued on the device, which is waited for once per
/// run.
Timing time_calls(at::Device device, const std::function<void(int64_t call)>& work);

/// Seconds of one call that is too long to be repeated much: of `calls`, the first of which is not counted.
Timing time_steps(at::Device device, int64_t calls, const std::function<void()>& work);

/// {"name", "seconds", "seconds_low", "seconds_high"}.
nlohmann::json result(const std::string& name, const Timing& timing);

/// Weights that together exceed any cache, taken in turn, as a decoder's layers are.
inline constexpr int64_t kRotatedBytes = int64_t{512} << 20;
int64_t copies_for(int64_t bytes, bool small);

/// Each part returns its results, a list of objects.
nlohmann::json kernel_results(const Setting& setting);
nlohmann::json product_results(const Setting& setting);
nlohmann::json step_results(const Setting& setting, const std::string& model);

}  // namespace qslaw::bench
