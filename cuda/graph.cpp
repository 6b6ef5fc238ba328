// CUDA graphs (lib/kernels/cuda_graph.h) by way of LibTorch's at::cuda::CUDAGraph.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "entries.h"

namespace qslaw::device {
namespace {

// What the graphs of a device share: a stream to record on, which must not be the default one, and a pool of
// memory. cuBLAS keeps a workspace for each stream and the allocator keeps a pool's memory, so that with ones
// of its own every graph would cost some MB that stay.
struct Place {
  c10::cuda::CUDAStream stream;
  c10::MempoolId_t pool;
};

const Place& place_of(c10::DeviceIndex device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, Place> places;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = places.find(device);
  if (found != places.end()) return found->second;
  const Place place{c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device),
                    at::cuda::graph_pool_handle()};
  // References that are never given back, to its device memory and to its pinned memory: LibTorch does not
  // take up a pool again that the last graph has left.
  c10::cuda::CUDACachingAllocator::createOrIncrefPool(device, place.pool);
  at::getHostAllocator(at::kCUDA)->begin_allocate_to_pool(place.pool, [](c10::Stream) { return false; });
  at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(place.pool);
  return places.emplace(device, place).first->second;
}

struct Graph {
  explicit Graph(c10::DeviceIndex index) : device(index), outer(c10::cuda::getCurrentCUDAStream(index)) {}

  at::cuda::CUDAGraph graph;
  c10::DeviceIndex device;
  c10::cuda::CUDAStream outer;  // the current stream when recording began
  bool records = false;
};

// Calls fn(); null, or what its exception says, which is there until this thread's next failure.
template <typename Fn>
const char* problem_of(const Fn& fn) {
  thread_local std::string message;
  try {
    fn();
    return nullptr;
  } catch (const c10::Error& error) {
    message = error.what_without_backtrace();
  } catch (const std::exception& error) {
    message = error.what();
  }
  return message.c_str();
}

void begin(Graph& graph) {
  const Place& place = place_of(graph.device);
  c10::cuda::setCurrentCUDAStream(place.stream);
  graph.records = true;
  // Threads that load data may do with CUDA what they like.
  graph.graph.capture_begin(place.pool, cudaStreamCaptureModeThreadLocal);
}

void end(Graph& graph) {
  if (!graph.records) return;
  graph.records = false;
  const char* problem = problem_of([&] { graph.graph.capture_end(); });
  const std::string words = problem ? problem : "";
  c10::cuda::setCurrentCUDAStream(graph.outer);
  if (!problem) return;
  // LibTorch stops at its first error and may have left the allocators giving out the pool's memory; where it
  // has not, they say that this is an error.
  const c10::MempoolId_t pool = place_of(graph.device).pool;
  problem_of([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(graph.device, pool); });
  problem_of([&] { at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool); });
  // Its state still waits for the recording's end and would refuse every random number from here on.
  problem_of([&] {
    auto* random = at::get_generator_or_default<at::CUDAGeneratorImpl>(
        std::nullopt, at::cuda::detail::getDefaultCUDAGenerator(graph.device));
    const auto fresh = c10::make_intrusive<at::CUDAGeneratorImpl>(graph.device);
    fresh->set_current_seed(random->current_seed());
    random->graphsafe_set_state(fresh);
  });
  static_cast<void>(cudaGetLastError());  // the next launch is not to blame
  TORCH_CHECK(false, words);
}

const char* graph_begin(int32_t device, void** graph) {
  return problem_of([&] {
    auto* made = new Graph(static_cast<c10::DeviceIndex>(device));
    *graph = made;
    begin(*made);
  });
}

const char* graph_end(void* graph) {
  return problem_of([&] { end(*static_cast<Graph*>(graph)); });
}

const char* graph_replay(void* graph) {
  return problem_of([&] { static_cast<Graph*>(graph)->graph.replay(); });
}

void graph_free(void* graph) {
  graph_end(graph);
  delete static_cast<Graph*>(graph);
}

}  // namespace

void enter_graph(CudaKernels& table) {
  table.graph_begin = graph_begin;
  table.graph_end = graph_end;
  table.graph_replay = graph_replay;
  table.graph_free = graph_free;
}

}  // namespace qslaw::device
