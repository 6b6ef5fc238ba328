#include "kernels/level_codes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/group_quant_cpu.h"
#include "kernels/level_codes_cpu.h"
#include "kernels/parallel.h"
#include "kernels/quant_math.h"

namespace qslaw {
namespace {

constexpr int64_t kMinTaskValues = 1 << 13;  // some ten microseconds

void check(const at::Tensor& values, const at::Tensor& levels, int bits, int64_t block) {
  QSLAW_CHECK(bits == 2 || bits == 3 || bits == 4 || bits == 8);
  QSLAW_CHECK(values.is_contiguous() && has_kernels(values) && (bits == 8 || values.numel() % 8 == 0));
  QSLAW_CHECK(levels.is_contiguous() && levels.scalar_type() == at::kFloat &&
              levels.numel() == int64_t{1} << bits && levels.device() == values.device());
  QSLAW_CHECK(block >= 16 && block <= kMaxLevelBlock && std::has_single_bit(static_cast<uint64_t>(block)));
}

std::vector<float> midpoints_of(const at::Tensor& levels) {
  const float* data = levels.const_data_ptr<float>();
  std::vector<float> midpoints;
  for (int64_t i = 1; i < levels.numel(); ++i)
    midpoints.push_back(level_midpoint(data[i - 1], data[i]));
  return midpoints;
}

void cuda_level_codes(const at::Tensor& values, const at::Tensor& levels, int bits, int64_t block,
                      LevelCodes& out) {
  QSLAW_CHECK(values.numel() % block == 0);
  check_cuda_alignment(values);
  cuda_call(values, "level_codes", [&](const CudaKernels& kernels, void* stream) {
    return kernels.level_codes(cuda_input(values), levels.const_data_ptr<float>(),
                               {values.numel() / block, block, block, bits}, out.codes.data_ptr<uint8_t>(),
                               out.absmax.data_ptr<float>(), stream);
  });
}

template <typename T>
void cpu_level_codes(const at::Tensor& values, const at::Tensor& levels, int bits, int64_t block,
                     LevelCodes& out) {
  const int64_t n = values.numel();
  const auto midpoints = midpoints_of(levels);
  const T* from = values.const_data_ptr<T>();
  auto* codes = out.codes.data_ptr<uint8_t>();
  float* absmax = out.absmax.data_ptr<float>();
  parallel_for(0, out.absmax.numel(), kMinTaskValues / block, [&](int64_t begin, int64_t end) {
    uint8_t bytes[kMaxLevelBlock];
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * block, count = std::min(block, n - at);
      uint8_t* packed = codes + at * bits / 8;
      absmax[i] = cpu::encode_block(from + at, count, midpoints.data(),
                                    static_cast<int64_t>(midpoints.size()), bits == 8 ? packed : bytes);
      if (bits < 8) cpu::pack_row(bytes, count, bits, packed);
    }
  });
}

}  // namespace

LevelCodes level_codes(const at::Tensor& values, const at::Tensor& levels, int bits, int64_t block) {
  check(values, levels, bits, block);
  const int64_t n = values.numel();
  LevelCodes out{at::empty({n * bits / 8}, values.options().dtype(at::kByte)),
                 at::empty({(n + block - 1) / block}, values.options().dtype(at::kFloat))};
  if (values.is_cuda()) {
    cuda_level_codes(values, levels, bits, block, out);
  } else {
    with_element_type(values.scalar_type(),
                      [&](auto zero) { cpu_level_codes<decltype(zero)>(values, levels, bits, block, out); });
  }
  return out;
}

}  // namespace qslaw
