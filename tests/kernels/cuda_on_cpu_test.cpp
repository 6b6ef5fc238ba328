// The runner of device code itself: barriers, shuffles and what it refuses.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "cuda_on_cpu.h"

namespace {

constexpr int kThreads = 96;

// Sum of a block's inputs: within warps by halves, across warps through shared memory.
void block_sum(const int* in, int* out) {
  QSLAW_SHARED(int, warp_sums, [kThreads / 32]);
  const unsigned thread = threadIdx.x;
  int sum = in[blockIdx.x * blockDim.x + thread];
  for (unsigned width = 16; width > 0; width /= 2)
    sum += __shfl_down_sync(0xFFFFFFFFU, sum, width);
  if (thread % 32 == 0) warp_sums[thread / 32] = sum;
  __syncthreads();
  if (thread == blockDim.x - 1) out[blockIdx.x] = std::accumulate(warp_sums, warp_sums + kThreads / 32, 0);
}

void reverse_segments(int* data, int width) {
  data[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, data[threadIdx.x], width - 1, width);
}

// What shared memory holds before it is written, which every block then does.
void read_first(float* out) {
  QSLAW_SHARED(float, pairs, [2][kThreads]);
  out[(2 * blockIdx.x + 0) * kThreads + threadIdx.x] = pairs[0][threadIdx.x];
  out[(2 * blockIdx.x + 1) * kThreads + threadIdx.x] = pairs[1][threadIdx.x];
  pairs[0][threadIdx.x] = pairs[1][threadIdx.x] = 1.0F;
}

// Half of a warp waits for the other half, which waits for the block.
void wait_for_nobody() {
  if (threadIdx.x < 16) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

}  // namespace

TEST_CASE("cuda_on_cpu sums blocks through shuffles and shared memory") {
  std::vector<int> in(4 * kThreads), out(4), expected(4);
  std::iota(in.begin(), in.end(), 1);
  for (int b = 0; b < 4; ++b) {
    expected[b] = std::accumulate(in.begin() + b * kThreads, in.begin() + (b + 1) * kThreads, 0);
  }
  cuda_on_cpu::run_grid(4, kThreads, [&] { block_sum(in.data(), out.data()); });
  REQUIRE(out == expected);
}

TEST_CASE("cuda_on_cpu exchanges within segments") {
  std::vector<int> data(kThreads), expected(kThreads);
  std::iota(data.begin(), data.end(), 0);
  for (int i = 0; i < kThreads; ++i)
    expected[i] = i / 8 * 8 + 7 - i % 8;
  cuda_on_cpu::run_grid(1, kThreads, [&] { reverse_segments(data.data(), 8); });
  REQUIRE(data == expected);
}

TEST_CASE("cuda_on_cpu lets no block read what it has not written to shared memory") {
  for (int run = 0; run < 2; ++run) {
    std::vector<float> out(3 * 2 * kThreads);
    cuda_on_cpu::run_grid(3, kThreads, [&] { read_first(out.data()); });
    REQUIRE(std::all_of(out.begin(), out.end(), [](float value) { return std::isnan(value); }));
  }
}

TEST_CASE("cuda_on_cpu reports a meeting that never happens") {
  REQUIRE_THROWS_AS(cuda_on_cpu::run_grid(1, 32, wait_for_nobody), std::logic_error);
}

TEST_CASE("cuda_on_cpu picks bytes") {
  REQUIRE(__byte_perm(0x33221100U, 0x77665544U, 0x5410U) == 0x55441100U);
  REQUIRE(__byte_perm(0x33221100U, 0x77665544U, 0x7632U) == 0x77663322U);
  REQUIRE(__byte_perm(0x33221100U, 0x4B000000U, 0x7442U) == 0x4B000022U);
}

TEST_CASE("cuda_on_cpu rounds to bfloat16 and half, ties to even") {
  // 1 + 2^-8 and 1 + 3 * 2^-8 lie halfway between bfloat16 numbers; 1 + 2^-11 and 1 + 3 * 2^-11 between
  // halves.
  REQUIRE(__bfloat162float(__float2bfloat16_rn(1.00390625F)) == 1.0F);
  REQUIRE(__bfloat162float(__float2bfloat16_rn(1.01171875F)) == 1.015625F);
  REQUIRE(__half2float(__float2half_rn(1.00048828125F)) == 1.0F);
  REQUIRE(__half2float(__float2half_rn(1.00146484375F)) == 1.001953125F);
  // As PTX has it: one NaN of each type, whatever the sign and payload (rounding would make 0 of 0xFFFFFFFF).
  for (const uint32_t bits : {0x7FC00000U, 0xFFFFFFFFU, 0x7F800001U}) {
    float nan;
    std::memcpy(&nan, &bits, sizeof nan);
    uint16_t half_bits;
    const __half half = __float2half_rn(nan);
    std::memcpy(&half_bits, &half, sizeof half_bits);
    REQUIRE(half_bits == 0x7FFF);
    REQUIRE(__float2bfloat16_rn(nan).bits == 0x7FFF);
  }
}
