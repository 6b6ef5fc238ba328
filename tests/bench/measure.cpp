#include "bench/measure.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>

#include <algorithm>
#include <cmath>

#include "core/stopwatch.h"
#include "kernels/cuda_graph.h"

namespace qslaw::bench {
namespace {

constexpr double kRunSeconds = 0.01;
constexpr int kRuns = 5;
// More calls make no graph that measures better, only one that takes longer to make.
constexpr double kMostCalls = 200;
// What keeps the device busy while the host queues: cleared in 60 us by the fastest memory there is.
constexpr int64_t kHeldBytes = int64_t{256} << 20;

using Work = std::function<void()>;

// What is queued on the device is done when a value made behind it can be read.
void wait_for(at::Device device) {
  if (!device.is_cpu()) at::zeros({1}, at::TensorOptions().device(device)).item<float>();
}

double clock_seconds(const Work& work) {
  const Stopwatch stopwatch;
  work();
  return stopwatch.seconds();
}

double seconds_until_done(at::Device device, const Work& work) {
  wait_for(device);
  return clock_seconds([&] {
    work();
    wait_for(device);
  });
}

// Between two events around what `queue` queues.
double event_seconds(at::Device device, const Work& queue) {
  c10::Event begin(device.type(), c10::EventFlag::BACKEND_DEFAULT);  // one that has a time
  c10::Event end(device.type(), c10::EventFlag::BACKEND_DEFAULT);
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  begin.record(stream);
  queue();
  end.record(stream);
  end.synchronize();
  return begin.elapsedTime(end) / 1e3;
}

int64_t times_to_fill(double seconds) {
  return static_cast<int64_t>(std::clamp(std::ceil(kRunSeconds / seconds), 1.0, kMostCalls));
}

Timing summary(std::vector<double> seconds, const std::string& timed_by) {
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), seconds.back(), timed_by};
}

// kRuns values of `run`, divided by the calls of each.
Timing over_runs(int64_t calls, const std::string& timed_by, const std::function<double()>& run) {
  std::vector<double> seconds;
  for (int i = 0; i < kRuns; ++i)
    seconds.push_back(run() / static_cast<double>(calls));
  return summary(seconds, timed_by);
}

Timing time_replays(at::Device device, int64_t calls, const CudaGraph& recorded) {
  recorded.replay();
  const int64_t replays = times_to_fill(event_seconds(device, [&] { recorded.replay(); }));
  return over_runs(calls * replays, "graph", [&] {
    return event_seconds(device, [&] {
      for (int64_t i = 0; i < replays; ++i)
        recorded.replay();
    });
  });
}

Timing time_queued(at::Device device, int64_t calls, const Work& queue) {
  at::Tensor held = at::empty({kHeldBytes}, at::TensorOptions(device).dtype(at::kByte));
  held.zero_();
  const double hold = event_seconds(device, [&] { held.zero_(); });
  const double host = clock_seconds(queue);
  wait_for(device);
  const auto holds = static_cast<int64_t>(std::clamp(std::ceil(2.0 * host / hold), 1.0, kMostCalls));
  return over_runs(calls, "events", [&] {
    for (int64_t i = 0; i < holds; ++i)
      held.zero_();
    return event_seconds(device, queue);
  });
}

// False for work that cannot be recorded, as when it looks at a result.
bool record(CudaGraph& graph, at::Device device, const Work& queue) {
  try {
    graph.record(at::empty({0}, at::TensorOptions().device(device)), queue);
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

Timing time_on_gpu(at::Device device, const std::function<void(int64_t call)>& work) {
  const double first = event_seconds(device, [&] { work(1); });
  const int64_t calls = times_to_fill(first);
  const Work queue = [&] {
    for (int64_t i = 0; i < calls; ++i)
      work(i);
  };
  CudaGraph graph;
  return record(graph, device, queue) ? time_replays(device, calls, graph)
                                      : time_queued(device, calls, queue);
}

}  // namespace

Timing time_calls(at::Device device, const std::function<void(int64_t call)>& work) {
  work(0);  // buffers, libraries' first use
  wait_for(device);
  if (!device.is_cpu()) return time_on_gpu(device, work);
  const int64_t calls = times_to_fill(clock_seconds([&] { work(1); }));
  return over_runs(calls, "clock", [&] {
    return clock_seconds([&] {
      for (int64_t i = 0; i < calls; ++i)
        work(i);
    });
  });
}

Timing time_steps(at::Device device, int64_t calls, const std::function<void()>& work) {
  work();
  std::vector<double> seconds;
  for (int64_t i = 1; i < calls; ++i)
    seconds.push_back(seconds_until_done(device, work));
  return summary(seconds, "clock");
}

nlohmann::json result(const std::string& name, const Timing& timing) {
  return {{"name", name},
          {"seconds", timing.median},
          {"seconds_low", timing.low},
          {"seconds_high", timing.high},
          {"timed_by", timing.timed_by}};
}

nlohmann::json share_of_peak(const Setting& setting, double flops_per_second) {
  if (setting.bfloat16_peak == 0) return nullptr;
  return flops_per_second / setting.bfloat16_peak;
}

int64_t bytes_of(std::initializer_list<at::Tensor> tensors) {
  int64_t bytes = 0;
  for (const at::Tensor& tensor : tensors)
    bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

int64_t copies_for(int64_t bytes, bool small) {
  return small ? 2 : std::max<int64_t>(2, kRotatedBytes / bytes);
}

}  // namespace qslaw::bench
