// Times of device work, for qslaw_bench, by one of two methods.
//
// time_calls, for kernels and products: device time. On a GPU many calls are recorded once as a CUDA graph,
// which is queued again and again between two CUDA events, so that what the host does for a call does not
// count and a kernel of 2 us is seen. Work that cannot be recorded is queued between the events behind other
// work that keeps the device busy until the host is done with it. "timed_by" of a result says which: "graph",
// "events", or on the CPU "clock".
//
// time_steps, for training and decoding: a clock around a whole step with everything that the host does in
// it, until the device is done: what a user waits for.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace qslaw::bench {

struct Setting {
  at::Device device = at::kCPU;
  bool small = false;          // sizes that a CPU does in a second, to try the program
  double bfloat16_peak = 0.0;  // the card's floating-point operations a second, 0 where not known
};

/// Seconds of one call: the median over a few runs, and their range.
struct Timing {
  double median = 0.0, low = 0.0, high = 0.0;
  std::string timed_by = "clock";
};

/// `work` gets the number of the call and may leave work queued on the device. A run is as many calls as fill
/// 10 ms.
Timing time_calls(at::Device device, const std::function<void(int64_t call)>& work);

/// Of `calls` calls, the first of which is not counted.
Timing time_steps(at::Device device, int64_t calls, const std::function<void()>& work);

/// {"name", "seconds", "seconds_low", "seconds_high", "timed_by"}.
nlohmann::json result(const std::string& name, const Timing& timing);

/// Of the card's bfloat16 peak; null where that is not known.
nlohmann::json share_of_peak(const Setting& setting, double flops_per_second);

int64_t bytes_of(std::initializer_list<at::Tensor> tensors);

/// Operands that together exceed any cache, to be taken in turn, as a decoder's layers are: as many of
/// `bytes` each as that takes.
inline constexpr int64_t kRotatedBytes = int64_t{512} << 20;
int64_t copies_for(int64_t bytes, bool small);
template <typename Make>
auto make_copies(const Setting& setting, int64_t bytes, const Make& make) {
  std::vector<decltype(make())> copies;
  for (int64_t i = 0; i < copies_for(bytes, setting.small); ++i)
    copies.push_back(make());
  return copies;
}
template <typename T>
const T& in_turn(const std::vector<T>& copies, int64_t call) {
  return copies[static_cast<size_t>(call) % copies.size()];
}

}  // namespace qslaw::bench
