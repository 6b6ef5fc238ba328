// Runs device code on the CPU, so that a kernel is executed and checked where there is no GPU. Only for
// tests. Covers what our kernels use: the indices, shared memory (QSLAW_SHARED), __syncthreads, __syncwarp,
// shuffles, picking bytes, bfloat16 and half.
//
// Blocks run one after the other. A block's threads are fibers: each runs until it meets the others (a
// barrier or a shuffle) or ends; when all have stopped, complete meetings are let go on. A meeting that some
// thread never reaches, which would hang or be undefined on a GPU, is an error here. Every second block runs
// its threads from last to first, so that code which relies on an order without a barrier fails; and shared
// memory holds NaN when a block begins, so that nothing of the block before can stand in for what was not
// written.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
/// Shared memory of a block for one variable: an array of the type with these extents ([2][32]).
#define QSLAW_SHARED(type, name, extents)                       \
  static cuda_on_cpu::SharedMemory<type extents> name##_memory; \
  auto& name = name##_memory.value

namespace cuda_on_cpu {

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 128 * 1024;

// Memory of all shared variables that a thread has come to so far, to be filled before each block.
struct Span {
  void* data;
  size_t bytes;
};
inline std::vector<Span> shared_spans;

// NaN as a float, bfloat16 or half, -1 as an integer.
inline void poison(const Span& span) {
  std::memset(span.data, 0xFF, span.bytes);
}

// One for all blocks, which run one after the other.
template <typename T>
struct SharedMemory {
  SharedMemory() {
    shared_spans.push_back({&value, sizeof value});
    poison(shared_spans.back());
  }
  alignas(16) T value;
};

enum class State { kReady, kAtBlock, kAtWarp, kDone };

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  State state = State::kReady;
  uint32_t mask = 0;       // of the warp meeting
  uint32_t published = 0;  // what this thread brings to a shuffle
  uint32_t seen = 0;       // its value as of the last complete meeting
};

struct Block {
  std::vector<Thread> threads;
  std::function<void()> kernel;
  ucontext_t scheduler;
  int current = 0;
};
inline Block block;

// Stops the current thread until the others of its meeting have come.
inline void meet(State state, uint32_t mask) {
  Thread& thread = block.threads[block.current];
  thread.state = state;
  thread.mask = mask;
  swapcontext(&thread.context, &block.scheduler);
}

inline void thread_main() {
  block.kernel();
  block.threads[block.current].state = State::kDone;
}

// Runs a thread up to its next stop.
inline void resume(int index) {
  Thread& thread = block.threads[index];
  block.current = index;
  threadIdx = {static_cast<unsigned>(index), 0, 0};
  swapcontext(&block.scheduler, &thread.context);
}

// Lets the warp meeting of thread `index` go on if everybody in its mask is there.
inline bool release_warp(int index) {
  const uint32_t mask = block.threads[index].mask;
  const int first = index / kWarp * kWarp;
  const auto member = [&](int lane) -> Thread* {
    const size_t i = static_cast<size_t>(first + lane);
    return (mask >> lane & 1U) && i < block.threads.size() ? &block.threads[i] : nullptr;
  };
  if (!(mask >> (index - first) & 1U)) throw std::logic_error("a thread is not in its own mask");
  for (int lane = 0; lane < kWarp; ++lane) {
    const Thread* thread = member(lane);
    if (thread && (thread->state != State::kAtWarp || thread->mask != mask)) return false;
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    if (Thread* thread = member(lane)) thread->state = State::kReady, thread->seen = thread->published;
  }
  return true;
}

// Lets complete meetings go on; true when some thread can run again. Threads that have ended do not hold up a
// barrier.
inline bool release() {
  bool released = false, all_at_block = true;
  for (size_t i = 0; i < block.threads.size(); ++i) {
    if (block.threads[i].state == State::kAtWarp) released |= release_warp(static_cast<int>(i));
    all_at_block &= block.threads[i].state == State::kAtBlock || block.threads[i].state == State::kDone;
  }
  for (Thread& thread : block.threads) {
    if (all_at_block && thread.state == State::kAtBlock) thread.state = State::kReady, released = true;
  }
  return released;
}

inline void run_block(bool backwards) {
  const int count = static_cast<int>(block.threads.size());
  std::for_each(shared_spans.begin(), shared_spans.end(), poison);
  for (Thread& thread : block.threads) {
    thread.state = State::kReady;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = kStackBytes;
    thread.context.uc_link = &block.scheduler;
    makecontext(&thread.context, thread_main, 0);
  }
  do {
    for (int i = 0; i < count; ++i) {
      const int index = backwards ? count - 1 - i : i;
      if (block.threads[index].state == State::kReady) resume(index);
    }
  } while (release());
  for (const Thread& thread : block.threads) {
    if (thread.state != State::kDone) throw std::logic_error("threads wait for others that never come");
  }
}

/// Runs `kernel` once per thread of a one-dimensional grid.
inline void run_grid(int64_t blocks, int threads, std::function<void()> kernel) {
  block.threads.resize(static_cast<size_t>(threads));
  block.kernel = std::move(kernel);
  blockDim = {static_cast<unsigned>(threads), 1, 1};
  gridDim = {static_cast<unsigned>(blocks), 1, 1};
  for (int64_t i = 0; i < blocks; ++i) {
    blockIdx = {static_cast<unsigned>(i), 0, 0};
    run_block(i % 2 == 1);
  }
}

// The value that lane `source` brought, for 4-byte types.
template <typename T>
T shuffle(uint32_t mask, T value, int source) {
  static_assert(sizeof(T) == sizeof(uint32_t));
  std::memcpy(&block.threads[block.current].published, &value, sizeof value);
  meet(State::kAtWarp, mask);
  if (!(mask >> source & 1U)) throw std::logic_error("a shuffle reads a lane outside its mask");
  std::memcpy(&value, &block.threads[block.current / kWarp * kWarp + source].seen, sizeof value);
  return value;
}

inline int lane() {
  return block.current % kWarp;
}

}  // namespace cuda_on_cpu

inline void __syncthreads() {
  cuda_on_cpu::meet(cuda_on_cpu::State::kAtBlock, 0);
}
inline void __syncwarp(uint32_t mask = 0xFFFFFFFFU) {
  cuda_on_cpu::meet(cuda_on_cpu::State::kAtWarp, mask);
}

// Lanes beyond their segment of `width` lanes keep their own value.
template <typename T>
T __shfl_down_sync(uint32_t mask, T value, unsigned delta, int width = cuda_on_cpu::kWarp) {
  const int lane = cuda_on_cpu::lane(), source = lane + static_cast<int>(delta);
  return cuda_on_cpu::shuffle(mask, value, lane / width == source / width ? source : lane);
}

template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = cuda_on_cpu::kWarp) {
  const int lane = cuda_on_cpu::lane(), source = lane ^ bits;
  return cuda_on_cpu::shuffle(mask, value, source / width <= lane / width ? source : lane);
}

// Byte i of the result is number (selector >> 4 i) % 8 of x's and then y's bytes.
inline uint32_t __byte_perm(uint32_t x, uint32_t y, uint32_t selector) {
  const uint64_t bytes = static_cast<uint64_t>(y) << 32 | x;
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i)
    out |= static_cast<uint32_t>(bytes >> (8 * (selector >> (4 * i) & 7U)) & 0xFFU) << (8 * i);
  return out;
}

struct __nv_bfloat16 {
  uint16_t bits;
};
struct __half {
  _Float16 value;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

// To the nearest, ties to even. A GPU has one NaN of either type, 0x7FFF; the CPU's functions have others
// (0x7FC0), so that bits are only equal for numbers.
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  return {static_cast<uint16_t>(std::isnan(value) ? 0x7FFFU : rounded)};
}

inline float __half2float(__half value) {
  return static_cast<float>(value.value);
}
inline __half __float2half_rn(float value) {
  __half out{static_cast<_Float16>(value)};
  constexpr uint16_t kNan = 0x7FFF;
  if (std::isnan(value)) std::memcpy(&out, &kNan, sizeof out);
  return out;
}
