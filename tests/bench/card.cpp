#include "bench/card.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <optional>

#include "kernels/cuda_graph.h"

namespace qslaw::bench {
namespace {

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

c10::Stream recording_stream(c10::Device device) {
  at::Tensor probe = at::zeros({1}, at::TensorOptions().device(device));
  std::optional<c10::Stream> stream;
  const auto work = [&] {
    stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
    probe.add_(1);
  };
  work();  // first use; the stream so far
  CudaGraph graph;
  try {
    graph.record(probe, work);
  } catch (const std::exception&) {  // no result will be "timed_by" a graph
  }
  return *stream;
}

std::string gpu_name() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (!driver) return "";
  int (*start)(unsigned flags);
  int (*first_device)(int* device, int ordinal);
  int (*name_of)(char* name, int length, int device);
  find(driver, "cuInit", start);
  find(driver, "cuDeviceGet", first_device);
  find(driver, "cuDeviceGetName", name_of);
  char name[256] = "";
  int device = 0;
  const bool found = start && first_device && name_of && start(0) == 0 && first_device(&device, 0) == 0 &&
                     name_of(name, sizeof name, device) == 0;
  return found ? name : "";
}

double bfloat16_peak() {
  const std::string name = gpu_name();
  const auto says = [&](const char* word) { return name.find(word) != std::string::npos; };
  // NVIDIA's data sheets of the SXM modules; cards for a PCIe slot run slower.
  if (says("PCIe") || says("NVL")) return 0.0;
  return says("H200") || says("H100 80GB HBM3") ? 989e12 : 0.0;
}

}  // namespace qslaw::bench
