#include "bench/cuda_graph.h"

#include <ATen/ATen.h>
#include <dlfcn.h>

#include "core/error.h"
#include "kernels/cuda_call.h"

namespace qslaw::bench {
namespace {

// cudaStreamCaptureModeRelaxed: LibTorch's allocator may ask the driver for memory meanwhile.
constexpr int kRelaxed = 2;

// The CUDA runtime that libqslaw_cuda.so and LibTorch brought along (both are opened globally), by name: the
// bench links none. Each returns a cudaError_t; streams, graphs and executables are pointers.
struct Runtime {
  int (*begin_capture)(void* stream, int mode);
  int (*end_capture)(void* stream, void** graph);
  int (*instantiate)(void** executable, void* graph, unsigned long long flags);
  int (*launch)(void* executable, void* stream);
  int (*destroy_executable)(void* executable);
  int (*destroy_graph)(void* graph);
  int (*take_last_error)();

  bool is_complete() const {
    return begin_capture && end_capture && instantiate && launch && destroy_executable && destroy_graph &&
           take_last_error;
  }
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

const Runtime& runtime() {
  static const Runtime found = [] {
    Runtime r{};
    find(RTLD_DEFAULT, "cudaStreamBeginCapture", r.begin_capture);
    find(RTLD_DEFAULT, "cudaStreamEndCapture", r.end_capture);
    find(RTLD_DEFAULT, "cudaGraphInstantiateWithFlags", r.instantiate);
    find(RTLD_DEFAULT, "cudaGraphLaunch", r.launch);
    find(RTLD_DEFAULT, "cudaGraphExecDestroy", r.destroy_executable);
    find(RTLD_DEFAULT, "cudaGraphDestroy", r.destroy_graph);
    find(RTLD_DEFAULT, "cudaGetLastError", r.take_last_error);
    return r;
  }();
  return found;
}

void* current_stream(at::Device device) {
  void* current = nullptr;
  cuda_call(at::empty({0}, at::TensorOptions().device(device)), "stream",
            [&](const CudaKernels&, void* stream) -> const char* {
              current = stream;
              return nullptr;
            });
  return current;
}

bool runs(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<RecordedWork> RecordedWork::record(at::Device device, const std::function<void()>& work) {
  const Runtime& cuda = runtime();
  if (!cuda.is_complete()) return nullptr;
  void *stream = current_stream(device), *graph = nullptr, *executable = nullptr;
  if (cuda.begin_capture(stream, kRelaxed) == 0) {
    const bool queued = runs(work);
    const bool recorded = cuda.end_capture(stream, &graph) == 0 && graph != nullptr;
    if (queued && recorded && cuda.instantiate(&executable, graph, 0) != 0) executable = nullptr;
    if (graph) cuda.destroy_graph(graph);
  }
  if (executable) return std::unique_ptr<RecordedWork>(new RecordedWork(executable, stream));
  cuda.take_last_error();  // else LibTorch's next check would find it
  return nullptr;
}

RecordedWork::~RecordedWork() {
  runtime().destroy_executable(executable_);
}

void RecordedWork::replay() const {
  const int error = runtime().launch(executable_, stream_);
  if (error != 0) throw InternalError(concat("[bench] cudaGraphLaunch: error ", error));
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
