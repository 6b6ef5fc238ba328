#include "kernels/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <cstdlib>
#include <limits>

namespace qslaw {
namespace {

constexpr uint8_t kPriority = 1;  // above LibTorch's own
constexpr size_t kAlignment = c10::gAlignment;

// In front of a tensor's first byte stands what malloc returned.
void*& origin_of(void* data) {
  return static_cast<void**>(data)[-1];
}

void release(void* data) {
  if (data != nullptr) std::free(origin_of(data));
}

void* aligned_memory(size_t bytes) {
  const size_t room = kAlignment + sizeof(void*);
  void* origin = bytes <= std::numeric_limits<size_t>::max() - room ? std::malloc(bytes + room) : nullptr;
  TORCH_CHECK(origin != nullptr, "can't allocate memory: ", bytes, " bytes for a tensor");
  const uintptr_t first = reinterpret_cast<uintptr_t>(origin) + sizeof(void*);
  void* data = reinterpret_cast<void*>((first + kAlignment - 1) / kAlignment * kAlignment);
  origin_of(data) = origin;
  return data;
}

class TensorMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : aligned_memory(bytes);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

c10::Allocator& tensor_memory() {
  static auto* memory = new TensorMemory;  // tensors may outlive every static object
  return *memory;
}

void use_tensor_memory() {
  c10::SetCPUAllocator(&tensor_memory(), kPriority);
}

}  // namespace qslaw
