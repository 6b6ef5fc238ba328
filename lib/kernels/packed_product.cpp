#include "kernels/packed_product.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/cpu_isa.h"
#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/product_input.h"
#include "kernels/product_operand.h"

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
std::vector<at::Tensor> cuda_products(const at::Tensor& x, const std::vector<ProductOperand>& operands) {
  std::vector<at::Tensor> results;
  std::vector<CudaProduct> products;
  for (const ProductOperand& operand : operands) {
    const cpu::ProductWeight& weight = operand.weight;
    QSLAW_CHECK(reinterpret_cast<uintptr_t>(weight.codes) % 16 == 0);
    results.push_back(product_memory(x, operand));
    products.push_back({weight.codes,
                        weight.scale,
                        weight.zero,
                        weight.table,
                        operand.absmax,
                        {operand.rows, weight.columns, weight.group_size, weight.bits},
                        cuda_output(results.back())});
  }
  const at::Tensor x_MK = x.reshape({-1, x.size(-1)});
  const bool is_aligned = reinterpret_cast<uintptr_t>(x_MK.const_data_ptr()) % 16 == 0;
  const at::Tensor dense = is_aligned ? x_MK.contiguous() : x_MK.clone(at::MemoryFormat::Contiguous);
  for (size_t begin = 0; begin < products.size(); begin += kMaxJoined) {
    const size_t count = std::min<size_t>(kMaxJoined, products.size() - begin);
    cuda_call(dense, "packed_product", [&](const CudaKernels& kernels, void* stream) {
      return kernels.packed_product(&products[begin], static_cast<int32_t>(count), cuda_input(dense),
                                    dense.size(0), stream);
    });
  }
  return results;
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

at::Tensor cpu_product(const at::Tensor& x, const ProductOperand& operand) {
  const cpu::ProductWeight& weight = operand.weight;
  const int64_t N = operand.rows;
  at::Tensor y = product_memory(x, operand);
  if (y.numel() == 0) return y;
  const Version version = version_for(x.scalar_type(), weight.table != nullptr, weight.bits);
  const OrderedInput input = order_input(x.reshape({-1, weight.columns}), weight.group_size, version);
  const ElementWriter out(y);
  const int64_t grain = std::max<int64_t>(8, kMinTaskProducts / (weight.columns * input.raw.tokens));
  parallel_for(0, N, grain, [&](int64_t begin, int64_t end) {
    if (weight.table) {
      return multiply_table_rows(version, weight, operand.absmax, input.raw, out, N, begin, end);
    }
    version.kernel(weight, input.raw, {out.at(0), out.type, N}, begin, end);
  });
  return y;
}

at::Tensor product(const at::Tensor& x, const ProductOperand& operand) {
  return x.is_cuda() ? cuda_products(x, {operand}).front() : cpu_product(x, operand);
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
  return product(x, uniform_operand(codes, grid, bits));
}

at::Tensor packed_table_product(const at::Tensor& x, const at::Tensor& codes, const AbsmaxCodes& absmax,
                                const at::Tensor& table, int bits) {
  return product(x, table_operand(codes, absmax, table, bits));
}

std::vector<at::Tensor> joined_products(const at::Tensor& x, const std::vector<PackedOperand>& weights,
                                        int bits) {
  std::vector<ProductOperand> operands;
  for (const PackedOperand& weight : weights) {
    operands.push_back(weight.table.defined() ? table_operand(weight.codes, weight.absmax, weight.table, bits)
                                              : uniform_operand(weight.codes, weight.grid, bits));
    const cpu::ProductWeight &first = operands.front().weight, &last = operands.back().weight;
    QSLAW_CHECK(!first.table == !last.table && first.group_size == last.group_size);
  }
  if (x.is_cuda()) return cuda_products(x, operands);
  std::vector<at::Tensor> results;
  for (const ProductOperand& operand : operands)
    results.push_back(cpu_product(x, operand));
  return results;
}

}  // namespace qslaw
