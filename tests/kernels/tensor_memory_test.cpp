// The memory of tensors on the CPU.
#include "kernels/tensor_memory.h"

#include <c10/util/Exception.h>
#include <malloc.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <vector>

using namespace qslaw;

TEST_CASE("tensor memory: aligned, whole, and copied") {
  std::vector<c10::DataPtr> held;
  for (size_t bytes = 1; bytes < 5000; bytes += 7) {
    held.push_back(tensor_memory().allocate(bytes));
    CHECK(reinterpret_cast<uintptr_t>(held.back().get()) % 64 == 0);
    std::memset(held.back().get(), static_cast<int>(bytes % 251), bytes);
  }
  bool whole = true;
  for (size_t i = 0; i < held.size(); ++i) {
    const size_t bytes = 1 + 7 * i;
    const auto* data = static_cast<const unsigned char*>(held[i].get());
    for (size_t k = 0; k < bytes; ++k)
      whole = whole && data[k] == bytes % 251;
  }
  CHECK(whole);
  const c10::DataPtr copy = tensor_memory().clone(held[99].get(), 1 + 7 * 99);
  CHECK(std::memcmp(copy.get(), held[99].get(), 1 + 7 * 99) == 0);
  CHECK(tensor_memory().allocate(0).get() == nullptr);
  void* raw = tensor_memory().raw_allocate(10);
  CHECK(raw != nullptr);
  tensor_memory().raw_deallocate(raw);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program instead of giving no memory
TEST_CASE("tensor memory: what does not fit is LibTorch's error") {
  for (const size_t bytes : {~size_t{0}, ~size_t{0} / 2})
    CHECK_THROWS_WITH(tensor_memory().allocate(bytes), Catch::Contains("can't allocate memory"));
}
#endif

#ifndef __SANITIZE_ADDRESS__  // which keeps freed blocks for a while
TEST_CASE("tensor memory: a freed block's room is used again for one of the same size") {
  constexpr size_t kBytes = 100000;  // from the heap: larger ones may have pages of their own
  std::vector<c10::DataPtr> blocks;
  for (int i = 0; i < 64; ++i)
    blocks.push_back(tensor_memory().allocate(kBytes));
  const auto before = ::mallinfo2().arena;
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < blocks.size(); i += 2)
      blocks[i] = c10::DataPtr();
    for (size_t i = 0; i < blocks.size(); i += 2)
      blocks[i] = tensor_memory().allocate(kBytes);
  }
  CHECK(::mallinfo2().arena == before);  // bytes of the heap
}
#endif
