#include "kernels/packed_product.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/cpu_isa.h"
#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/product_input.h"
#include "kernels/product_kernels.h"

namespace qslaw {
namespace {

using cpu::Isa;
using cpu::ProductLayout;

// Products that make a task worth another thread.
constexpr int64_t kMinTaskProducts = 1 << 17;

// Rows of table codes whose absmax are decoded at once: their memory stays in the first-level cache.
constexpr int64_t kDecodedRows = 16;

// A kernel, the type it reads x in, and the order.
struct Version {
  cpu::ProductKernel kernel;
  at::ScalarType x_type;
  ProductLayout layout;
};

int64_t lane_columns(int bits) {
  return bits == 2 ? 16 : bits == 8 ? 4 : 8;
}

Version version_for(at::ScalarType dtype, bool table, int bits) {
#if defined(__x86_64__)
  const Isa isa = table && bits == 8 ? Isa::plain : cpu::active_isa();
  const int64_t columns = lane_columns(bits);
  if (isa == Isa::avx512_bf16 && dtype == at::kBFloat16)
    return {cpu::avx512_bf16_product, at::kBFloat16, {32, columns / 2}};
  if (isa >= Isa::avx512) return {cpu::avx512_product, at::kFloat, {16, columns}};
  if (isa == Isa::avx2) return {cpu::avx2_product, at::kFloat, {8, columns}};
#endif
  static_cast<void>(table);
  return {cpu::plain_product, at::kFloat, {16, 1}};
}

// x in a kernel's order.
struct OrderedInput {
  at::Tensor x, sums;
  cpu::ProductInput raw;
};

template <typename T>
void order_tokens(const at::Tensor& x_MK, int64_t group_size, ProductLayout layout, at::Tensor& ordered,
                  at::Tensor& sums) {
  const int64_t M = x_MK.size(0), K = x_MK.size(1), padded = ordered.size(1), groups = K / group_size;
  const T* from = static_cast<const T*>(x_MK.const_data_ptr());
  T* to = static_cast<T*>(ordered.mutable_data_ptr());
  float* sum = sums.data_ptr<float>();
  parallel_for(0, M, std::max<int64_t>(1, kMinTaskProducts / K), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m)
      cpu::order_token(from + m * K, K, group_size, layout, to + m * padded, sum + m * groups);
  });
}

OrderedInput order_input(const at::Tensor& x_MK, int64_t group_size, const Version& version) {
  const int64_t M = x_MK.size(0), K = x_MK.size(1);
  const at::Tensor source = x_MK.to(version.x_type).contiguous();
  OrderedInput input;
  input.x = at::empty({M, version.layout.padded(K)}, version.x_type);
  input.sums = at::empty({M, K / group_size}, at::kFloat);
  if (version.x_type == at::kBFloat16)
    order_tokens<uint16_t>(source, group_size, version.layout, input.x, input.sums);
  else
    order_tokens<float>(source, group_size, version.layout, input.x, input.sums);
  input.raw = {input.x.const_data_ptr(), input.sums.const_data_ptr<float>(), M, input.x.size(1)};
  return input;
}

// Codes and x are read in vectors of up to 16 bytes.
void cuda_product(const at::Tensor& x_MK, int64_t N, const cpu::ProductWeight& weight,
                  const AbsmaxView& absmax, at::Tensor& y) {
  QSLAW_CHECK(reinterpret_cast<uintptr_t>(weight.codes) % 16 == 0);
  const bool is_aligned = reinterpret_cast<uintptr_t>(x_MK.const_data_ptr()) % 16 == 0;
  const at::Tensor dense = is_aligned ? x_MK.contiguous() : x_MK.clone(at::MemoryFormat::Contiguous);
  cuda_call(x_MK, "packed_product", [&](const CudaKernels& kernels, void* stream) {
    return kernels.packed_product(
        {weight.codes, weight.scale, weight.zero, weight.table, absmax}, cuda_input(dense), dense.size(0),
        {N, weight.columns, weight.group_size, weight.bits}, cuda_output(y), stream);
  });
}

// Rows begin..end-1 of table codes.
void multiply_table_rows(const Version& version, cpu::ProductWeight weight, const AbsmaxView& absmax,
                         const cpu::ProductInput& input, const ElementWriter& y, int64_t rows, int64_t begin,
                         int64_t end) {
  const int64_t groups = weight.columns / weight.group_size, row_bytes = weight.columns * weight.bits / 8;
  std::vector<float> decoded(static_cast<size_t>(std::min(kDecodedRows, end - begin) * groups));
  const uint8_t* codes = weight.codes;
  weight.scale = decoded.data();
  for (int64_t row = begin; row < end; row += kDecodedRows) {
    const int64_t count = std::min(kDecodedRows, end - row);
    cpu::decode_absmax(absmax, row * groups, count * groups, decoded.data());
    weight.codes = codes + row * row_bytes;
    version.kernel(weight, input, {y.at(row), y.type, rows}, 0, count);
  }
}

at::Tensor product(const at::Tensor& x, const at::Tensor& codes, const cpu::ProductWeight& weight,
                   const AbsmaxView& absmax) {
  const int64_t N = codes.size(0);
  QSLAW_CHECK(codes.is_contiguous() && has_kernels(x) && x.device() == codes.device());
  QSLAW_CHECK(x.dim() >= 1 && x.size(-1) == weight.columns);
  // Vectors of codes are whole groups, or a group is whole vectors.
  QSLAW_CHECK(weight.group_size >= 32 && (weight.group_size & (weight.group_size - 1)) == 0);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = N;
  at::Tensor y = at::empty(shape, x.options());
  if (y.numel() == 0) return y;
  if (x.is_cuda()) {
    cuda_product(x.reshape({-1, weight.columns}), N, weight, absmax, y);
    return y;
  }
  const Version version = version_for(x.scalar_type(), weight.table != nullptr, weight.bits);
  const OrderedInput input = order_input(x.reshape({-1, weight.columns}), weight.group_size, version);
  const ElementWriter out(y);
  const int64_t grain = std::max<int64_t>(8, kMinTaskProducts / (weight.columns * input.raw.tokens));
  parallel_for(0, N, grain, [&](int64_t begin, int64_t end) {
    if (weight.table) return multiply_table_rows(version, weight, absmax, input.raw, out, N, begin, end);
    version.kernel(weight, input.raw, {out.at(0), out.type, N}, begin, end);
  });
  return y;
}

// Most tokens for which the product over packed codes was measured to be faster than dequantizing and
// at::linear, on one core (AMD EPYC 9004, K = 4096, groups of 128). For 2, 3, 4, 8 bits, then table codes.
struct Limits {
  int64_t two, three, four, eight, table;
};

// oneDNN's products of bfloat16 are fast only where the processor multiplies pairs of it, those of float16
// not even there: without, the packed product won at all 64 tokens that were tried, by a factor of 2 to 5.
Limits cpu_limits(at::ScalarType dtype) {
  constexpr int64_t kTried = 64;
  const Isa isa = cpu::active_isa();
  if (isa == Isa::plain) return {2, 2, 2, 2, 2};
  if (dtype == at::kBFloat16 && isa == Isa::avx512_bf16) return {23, 13, 17, 10, 7};
  if (dtype != at::kFloat) return {kTried, kTried, kTried, kTried, kTried};
  return isa == Isa::avx2 ? Limits{48, 24, 28, 16, 16} : Limits{48, 40, 40, 20, 40};
}

// Not measured; by an H100's figures. In 16 bits 64 tokens are the most that is estimated: some 3.1 bytes per
// weight of 4 bits from the second-level cache, 5.5 * 10^12 a second, are the limit, before 11 instructions
// of 3 * 10^13 and 8 / 256 products of the matrix units per weight, 0.5 per clock and multiprocessor
// (cuda/batched_product.cuh). To be written dense and read again takes 4.5 bytes of 3.3 * 10^12, twice as
// long. In float32 a weight costs M + 3 instructions (cuda/packed_product.cuh), or else 9 bytes: even at some
// 75 tokens; 16 are taken, because the estimate flatters both and nothing decodes in float32 on a GPU.
Limits cuda_limits(at::ScalarType dtype) {
  return dtype == at::kFloat ? Limits{16, 16, 16, 16, 16} : Limits{64, 64, 64, 64, 64};
}

}  // namespace

bool packed_product_pays(const at::Tensor& x, Codes kind, int bits) {
  if (!has_kernels(x) || x.numel() == 0 || (kind == Codes::table && bits == 8)) return false;
  const Limits limits = x.is_cuda() ? cuda_limits(x.scalar_type()) : cpu_limits(x.scalar_type());
  const int64_t uniform = bits == 2   ? limits.two
                          : bits == 3 ? limits.three
                          : bits == 4 ? limits.four
                                      : limits.eight;
  return x.numel() / x.size(-1) <= (kind == Codes::table ? limits.table : uniform);
}

at::Tensor packed_product(const at::Tensor& x, const at::Tensor& codes, const GroupGrid& grid, int bits) {
  QSLAW_CHECK(grid.scale.is_contiguous() && grid.scale.device() == codes.device());
  QSLAW_CHECK(grid.scale.dim() == 2 && grid.scale.size(0) == codes.size(0) && grid.scale.size(1) > 0);
  QSLAW_CHECK(x.size(-1) % grid.scale.size(1) == 0);
  QSLAW_CHECK(grid.zero.is_contiguous() && grid.zero.scalar_type() == at::kShort);
  QSLAW_CHECK(grid.zero.sizes() == grid.scale.sizes() && grid.zero.device() == codes.device());
  const int64_t K = codes.size(1) * 8 / bits;
  return product(x, codes,
                 {codes.const_data_ptr<uint8_t>(), grid.scale.const_data_ptr<float>(),
                  grid.zero.const_data_ptr<int16_t>(), nullptr, K, K / grid.scale.size(1), bits},
                 {});
}

at::Tensor packed_table_product(const at::Tensor& x, const at::Tensor& codes, const AbsmaxCodes& absmax,
                                const at::Tensor& table, int bits) {
  QSLAW_CHECK(table.is_contiguous() && table.numel() == int64_t{1} << bits);
  QSLAW_CHECK(table.scalar_type() == at::kFloat && table.device() == codes.device());
  const int64_t K = codes.size(1) * 8 / bits;
  const AbsmaxView view = view_of(absmax, codes);
  return product(x, codes,
                 {codes.const_data_ptr<uint8_t>(), nullptr, nullptr, table.const_data_ptr<float>(), K,
                  K / absmax.codes.size(1), bits},
                 view);
}

}  // namespace qslaw
