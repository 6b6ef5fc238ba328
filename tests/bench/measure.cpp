#include "bench/measure.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace qslaw::bench {
namespace {

constexpr double kRunSeconds = 0.02;
constexpr int kRuns = 7;
constexpr double kMostCalls = 1000;

// What is queued on the device is done when a value made behind it can be read.
void wait_for(at::Device device) {
  if (!device.is_cpu()) at::zeros({1}, at::TensorOptions().device(device)).item<float>();
}

double seconds_of(at::Device device, const std::function<void()>& work) {
  wait_for(device);
  const auto began = std::chrono::steady_clock::now();
  work();
  wait_for(device);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

Timing summary(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), seconds.back()};
}

}  // namespace

Timing time_calls(at::Device device, const std::function<void(int64_t call)>& work) {
  int64_t call = 0;
  work(call++);  // buffers, libraries' first use
  const double first = seconds_of(device, [&] { work(call++); });
  const auto calls = static_cast<int64_t>(std::clamp(std::ceil(kRunSeconds / first), 1.0, kMostCalls));
  std::vector<double> seconds;
  for (int run = 0; run < kRuns; ++run) {
    const double total = seconds_of(device, [&] {
      for (int64_t i = 0; i < calls; ++i)
        work(call++);
    });
    seconds.push_back(total / static_cast<double>(calls));
  }
  return summary(seconds);
}

Timing time_steps(at::Device device, int64_t calls, const std::function<void()>& work) {
  work();
  std::vector<double> seconds;
  for (int64_t i = 1; i < calls; ++i)
    seconds.push_back(seconds_of(device, work));
  return summary(seconds);
}

nlohmann::json result(const std::string& name, const Timing& timing) {
  return {
      {"name", name}, {"seconds", timing.median}, {"seconds_low", timing.low}, {"seconds_high", timing.high}};
}

int64_t copies_for(int64_t bytes, bool small) {
  return small ? 2 : std::max<int64_t>(2, kRotatedBytes / bytes);
}

}  // namespace qslaw::bench
