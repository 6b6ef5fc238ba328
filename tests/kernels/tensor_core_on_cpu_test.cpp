// The CPU's stand-in for the matrix units and for late copies: fragments as the PTX ISA lays them out
// ("Matrix Fragments for mma.m16n8k16 with floating point type"), whose formulas stand here as they are
// published.
#include "tensor_core_on_cpu.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "device_launch.h"

using namespace qslaw;

namespace {

struct Fragments {
  uint32_t a[32][4], b[32][2];
  float sums[32][4];
};

template <typename T>
void multiply_once(Fragments* all) {
  const unsigned lane = threadIdx.x;
  device::multiply_tile<T>(all->a[lane], all->b[lane][0], all->b[lane][1], all->sums[lane]);
}

template <typename T>
void run(Fragments& all) {
  REQUIRE(device::launch(multiply_once<T>, 1, 32, nullptr, &all) == nullptr);
}

// Element i of a lane's fragment: registers hold two each, the first in the low half.
template <typename T>
void put(uint32_t* fragment, int i, float value) {
  const uint32_t pair = device::pack_pair<T>(i % 2 ? 0.0F : value, i % 2 ? value : 0.0F);
  const uint32_t mask = i % 2 ? 0x0000FFFFU : 0xFFFF0000U;
  fragment[i / 2] = (fragment[i / 2] & mask) | pair;
}

// Small whole numbers without a pattern that a wrong layout could share.
float a_value(int row, int column) {
  return static_cast<float>((row * 31 + column * 17) % 13 - 6);
}
float b_value(int row, int column) {
  return static_cast<float>((row * 7 + column * 29) % 11 - 5);
}

template <typename T>
void require_published_layout() {
  Fragments all{};
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, thread = lane % 4;
    for (int i = 0; i < 8; ++i) {
      const int row = (i >= 0 && i < 2) || (i >= 4 && i < 6) ? group : group + 8;
      const int column = thread * 2 + (i & 1) + (i < 4 ? 0 : 8);
      put<T>(all.a[lane], i, a_value(row, column));
    }
    for (int i = 0; i < 4; ++i)
      put<T>(all.b[lane], i, b_value(thread * 2 + (i & 1) + (i < 2 ? 0 : 8), group));
    for (int i = 0; i < 4; ++i)
      all.sums[lane][i] = static_cast<float>(100 * lane + i);
  }
  run<T>(all);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane >> 2 : (lane >> 2) + 8, column = lane % 4 * 2 + (i & 1);
      float expected = static_cast<float>(100 * lane + i);
      for (int k = 0; k < 16; ++k)
        expected += a_value(row, k) * b_value(k, column);
      REQUIRE(all.sums[lane][i] == expected);
    }
  }
}

// Thread 0 begins three groups of one copy each and waits for all but `kPending` of them.
template <int kPending>
void copy_late(const float* from, float* seen) {
  QSLAW_SHARED(float, slots, [3 * 4]);
  if (threadIdx.x == 0) {
    for (float& slot : slots)
      slot = -1;
    for (int i = 0; i < 3; ++i) {
      device::copy_async(slots + 4 * i, from + 4 * i, i != 1);
      device::commit_copies();
    }
    device::wait_copies<kPending>();
    std::copy(slots, slots + 12, seen);
    device::wait_copies<0>();
  }
}

}  // namespace

TEST_CASE("the CPU's matrix units have the published layout") {
  require_published_layout<__nv_bfloat16>();
  require_published_layout<__half>();
}

TEST_CASE("one product of the matrix units goes from lane to lane as worked out by hand") {
  // a(9, 3): row 9 = group 1 + 8, column 3 = 2 * thread 1 + 1: element a3 of lane 5, high half of register 1.
  // b(3, 6): row 3 = 2 * thread 1 + 1, column 6 = group 6: element b1 of lane 25, high half of register 0.
  // c(9, 6): row 9 = group 1 + 8, column 6 = 2 * thread 3: element c2 of lane 7.
  Fragments all{};
  all.a[5][1] = 0x3F80U << 16;   // 1
  all.b[25][0] = 0x4000U << 16;  // 2
  run<__nv_bfloat16>(all);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i)
      REQUIRE(all.sums[lane][i] == (lane == 7 && i == 2 ? 2.0F : 0.0F));
  }
}

TEST_CASE("the CPU's pairs have their first element in the low half") {
  REQUIRE(device::pack_pair<__nv_bfloat16>(1.0F, 2.0F) == 0x40003F80U);
  REQUIRE(device::pack_pair<__half>(1.0F, -2.0F) == 0xC0003C00U);
}

TEST_CASE("the CPU's copies come when they are waited for, and zeros where nothing is valid") {
  alignas(16) float from[12], seen[12];
  std::iota(from, from + 12, 1.0F);
  const auto expect = [&](int groups) {
    for (int i = 0; i < 12; ++i)
      REQUIRE(seen[i] == (i / 4 >= groups ? -1.0F : i / 4 == 1 ? 0.0F : from[i]));
    REQUIRE(cuda_on_cpu::copies_left() == 0);
  };
  device::launch(copy_late<0>, 1, 32, nullptr, from, seen);
  expect(3);
  device::launch(copy_late<1>, 1, 32, nullptr, from, seen);
  expect(2);
  device::launch(copy_late<3>, 1, 32, nullptr, from, seen);
  expect(0);
}
