// What cuda/tensor_core.cuh offers, on the CPU: tiles of the matrix units, computed by the warp's fibers
// together, and copies that are late. Only for tests.
#pragma once
#include <deque>
#include <map>

#include "cuda_on_cpu.h"

namespace cuda_on_cpu {

/// A warp's registers of one tile.
struct WarpTile {
  uint32_t a[kWarp][4], b[kWarp][2];
};

// Two in turn: who reads one of them keeps all others from writing the next but one.
struct WarpTiles {
  WarpTile tiles[2];
  int turn[kWarp] = {};  // of each lane
};
inline std::map<int, WarpTiles> warp_tiles;  // by warp of the block

/// A copy to shared memory that has begun.
struct LateCopy {
  void* to;
  const void* from;
  bool valid;
};
struct Copies {
  std::vector<LateCopy> open;
  std::deque<std::vector<LateCopy>> groups;
};
inline std::map<int, Copies> copies;  // by thread of the block

/// Copies that no wait has completed: a kernel ends without any.
inline size_t copies_left() {
  size_t left = 0;
  for (const auto& [thread, own] : copies) {
    left += own.open.size();
    for (const std::vector<LateCopy>& group : own.groups)
      left += group.size();
  }
  return left;
}

inline float half_of(uint32_t pair, int half, __nv_bfloat16) {
  return __bfloat162float({static_cast<uint16_t>(pair >> (16 * half))});
}
inline float half_of(uint32_t pair, int half, __half) {
  return __half2float({__builtin_bit_cast(_Float16, static_cast<uint16_t>(pair >> (16 * half)))});
}

inline uint16_t bits_of(float value, __nv_bfloat16) {
  return __float2bfloat16_rn(value).bits;
}
inline uint16_t bits_of(float value, __half) {
  return __builtin_bit_cast(uint16_t, __float2half_rn(value).value);
}

// Elements of the operands, by the layout that PTX defines: lane 4 * (row % 8) + column % 8 / 2 has an
// element of a, in register row / 8 + 2 * (column / 8); rows and columns of b change places.
template <typename T>
float a_element(const WarpTile& tile, int row, int column) {
  return half_of(tile.a[row % 8 * 4 + column % 8 / 2][row / 8 + column / 8 * 2], column % 2, T{});
}
template <typename T>
float b_element(const WarpTile& tile, int row, int column) {
  return half_of(tile.b[column * 4 + row % 8 / 2][row / 8], row % 2, T{});
}

}  // namespace cuda_on_cpu

namespace qslaw::device {

/// Sums in double precision, then one rounding, where the matrix units cut off numbers (product_case.h).
template <typename T>
void multiply_tile(const uint32_t (&a)[4], uint32_t b0, uint32_t b1, float (&sums)[4]) {
  using namespace cuda_on_cpu;
  const int lane = cuda_on_cpu::lane();
  WarpTiles& warp = warp_tiles[block.current / kWarp];
  WarpTile& tile = warp.tiles[warp.turn[lane] ^= 1];
  std::copy(a, a + 4, tile.a[lane]);
  tile.b[lane][0] = b0, tile.b[lane][1] = b1;
  meet(State::kAtWarp, 0xFFFFFFFFU);
  for (int i = 0; i < 4; ++i) {
    double sum = sums[i];
    for (int k = 0; k < 16; ++k) {
      sum += static_cast<double>(a_element<T>(tile, lane / 4 + i / 2 * 8, k)) *
             static_cast<double>(b_element<T>(tile, k, lane % 4 * 2 + i % 2));
    }
    sums[i] = static_cast<float>(sum);
  }
}

template <typename T>
uint32_t pack_pair(float first, float second) {
  return cuda_on_cpu::bits_of(first, T{}) | static_cast<uint32_t>(cuda_on_cpu::bits_of(second, T{})) << 16;
}

template <typename T>
uint32_t multiply_add_pair(uint32_t a, uint32_t b, uint32_t c) {
  const auto half = [&](int i) {  // exact before it is rounded: 11 bits times 11 bits, and the sum in 53
    const double product = static_cast<double>(cuda_on_cpu::half_of(a, i, T{})) *
                           static_cast<double>(cuda_on_cpu::half_of(b, i, T{}));
    return static_cast<float>(product + static_cast<double>(cuda_on_cpu::half_of(c, i, T{})));
  };
  return pack_pair<T>(half(0), half(1));
}

/// Reads and writes only when it is waited for: whoever reads without waiting finds what was there before.
inline void copy_async(void* to, const void* from, bool valid) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0)
    throw std::logic_error("a copy is not aligned to 16 bytes");
  cuda_on_cpu::copies[cuda_on_cpu::block.current].open.push_back({to, from, valid});
}

inline void commit_copies() {
  cuda_on_cpu::Copies& own = cuda_on_cpu::copies[cuda_on_cpu::block.current];
  own.groups.push_back(std::move(own.open));
  own.open.clear();
}

template <int kPending>
void wait_copies() {
  cuda_on_cpu::Copies& own = cuda_on_cpu::copies[cuda_on_cpu::block.current];
  for (; own.groups.size() > static_cast<size_t>(kPending); own.groups.pop_front()) {
    for (const cuda_on_cpu::LateCopy& copy : own.groups.front()) {
      if (copy.valid) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
  }
}

}  // namespace qslaw::device
