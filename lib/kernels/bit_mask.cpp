#include "kernels/bit_mask.h"

#include <ATen/ATen.h>

#include "kernels/float_types.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

constexpr int64_t kByteGrain = 1 << 12;

template <typename T>
void pack_bits(const T* mask, int64_t n, int64_t begin, int64_t end, uint8_t* bits) {
  for (int64_t byte = begin; byte < end; ++byte) {
    uint32_t packed = 0;
    const int64_t first = 8 * byte, count = std::min<int64_t>(8, n - first);
    for (int64_t j = 0; j < count; ++j)
      packed |= (mask[first + j] != 0 ? 1U : 0U) << j;
    bits[byte] = static_cast<uint8_t>(packed);
  }
}

// Through integers of T's size: its bits of `value` or none.
template <typename Bits>
void unpack_bits(const uint8_t* bits, int64_t n, int64_t begin, int64_t end, Bits value, Bits* mask) {
  for (int64_t byte = begin; byte < end; ++byte) {
    const int64_t first = 8 * byte, count = std::min<int64_t>(8, n - first);
    for (int64_t j = 0; j < count; ++j)
      mask[first + j] = static_cast<Bits>((bits[byte] >> j) & 1U ? value : 0);
  }
}

template <typename Bits>
void unpack_tensor(const at::Tensor& bits, const at::Tensor& value, at::Tensor& mask) {
  const uint8_t* from = bits.const_data_ptr<uint8_t>();
  const Bits pattern = *static_cast<const Bits*>(value.const_data_ptr());
  auto* to = static_cast<Bits*>(mask.data_ptr());
  parallel_for(0, bits.numel(), kByteGrain,
               [&](int64_t begin, int64_t end) { unpack_bits(from, mask.numel(), begin, end, pattern, to); });
}

}  // namespace

at::Tensor compress_mask(const at::Tensor& mask) {
  if (!has_cpu_loops(mask)) return mask != 0;
  const at::Tensor dense = mask.contiguous();
  at::Tensor bits = at::empty({(dense.numel() + 7) / 8}, at::kByte);
  uint8_t* to = bits.data_ptr<uint8_t>();
  with_float_type(dense.scalar_type(), [&](auto zero) {
    const auto* from = dense.const_data_ptr<decltype(zero)>();
    parallel_for(0, bits.numel(), kByteGrain,
                 [&](int64_t begin, int64_t end) { pack_bits(from, dense.numel(), begin, end, to); });
  });
  return bits;
}

at::Tensor expand_mask(const at::Tensor& compressed, const at::Tensor& like, double keep) {
  if (!has_cpu_loops(like)) return compressed.to(like.scalar_type()).div_(keep).view(like.sizes());
  at::Tensor mask = at::empty(like.sizes(), like.options().requires_grad(false));
  const at::Tensor pattern = at::ones({1}, mask.options()).div_(keep);
  if (mask.element_size() == 2) {
    unpack_tensor<uint16_t>(compressed, pattern, mask);
  } else {
    unpack_tensor<uint32_t>(compressed, pattern, mask);
  }
  return mask;
}

}  // namespace qslaw
