#include "kernels/activation_quant.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "core/cpu_isa.h"
#include "core/error.h"
#include "kernels/activation_math.h"
#include "kernels/cuda_activation_quant.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/row_kernels.h"

namespace qslaw {
namespace {

constexpr int64_t kMinTaskElements = 1 << 15;

void check_input(const at::Tensor& x_MK) {
  QSLAW_CHECK((x_MK.is_cpu() || x_MK.is_cuda()) && x_MK.dim() == 2 && x_MK.is_contiguous());
}

void check_bits(int bits) {
  QSLAW_CHECK(bits == 4 || bits == 6 || bits == 8);
}

int64_t row_grain(int64_t columns) {
  return std::max<int64_t>(1, kMinTaskElements / std::max<int64_t>(columns, 1));
}

// Largest and smallest of each column of a band of columns, in place.
void widen_columns(const at::Tensor& x_MK, int64_t begin, int64_t end, float* high, float* low) {
  const ElementReader x(x_MK);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).widen_range;
  for (int64_t m = 0; m < x_MK.size(0); ++m)
    kernel(x.at(m * x_MK.size(1) + begin), x.type, end - begin, high + begin, low + begin);
}

ActivationRange channel_range(const at::Tensor& x_MK) {
  const int64_t M = x_MK.size(0), K = x_MK.size(1);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ActivationRange range{at::full({1, K}, -kInfinity, at::kFloat), at::full({1, K}, kInfinity, at::kFloat)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  parallel_for(0, K, std::max<int64_t>(256, row_grain(M)),
               [&](int64_t begin, int64_t end) { widen_columns(x_MK, begin, end, high, low); });
  return range;
}

// Largest and smallest of one row: the range of its whole groups of 16, widened by the rest.
void row_extremes(const ElementReader& x, int64_t row, int64_t K, float& high, float& low) {
  const cpu::RowKernels& kernels = cpu::row_kernels(cpu::active_isa());
  const int64_t whole = K / 16 * 16;
  high = -std::numeric_limits<float>::infinity(), low = std::numeric_limits<float>::infinity();
  if (whole > 0) kernels.range(x.at(row * K), x.type, 1, whole, &high, &low);
  for (int64_t k = whole; k < K; ++k)
    kernels.widen_range(x.at(row * K + k), x.type, 1, &high, &low);
}

ActivationRange token_range(const at::Tensor& x_MK) {
  const int64_t M = x_MK.size(0), K = x_MK.size(1);
  ActivationRange range{at::empty({M, 1}, at::kFloat), at::empty({M, 1}, at::kFloat)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  const ElementReader x(x_MK);
  parallel_for(0, M, row_grain(K), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m)
      row_extremes(x, m, K, high[m], low[m]);
  });
  return range;
}

// The grid's constants of any row.
struct GridReader {
  GridReader(const ActivationGrid& grid, const at::Tensor& x_MK, int code_bits)
      : scale(grid.scale.const_data_ptr<float>()), zero(grid.zero.const_data_ptr<float>()), bits(code_bits) {
    const int64_t rows = grid.scale.size(0), columns = grid.scale.size(1);
    QSLAW_CHECK(grid.scale.is_contiguous() && grid.zero.is_contiguous() &&
                grid.scale.scalar_type() == at::kFloat);
    QSLAW_CHECK(grid.scale.device() == x_MK.device() && grid.zero.device() == x_MK.device());
    QSLAW_CHECK(grid.zero.sizes() == grid.scale.sizes() && grid.zero.scalar_type() == at::kFloat);
    QSLAW_CHECK((rows == 1 || rows == x_MK.size(0)) && (columns == 1 || columns == x_MK.size(1)));
    QSLAW_CHECK(rows == 1 || columns == 1);
    row_stride = rows == 1 ? 0 : 1;
    column_stride = columns == 1 ? 0 : 1;
  }
  CudaActivationGrid cuda() const { return {scale, zero, row_stride, column_stride, bits}; }
  cpu::RowGrid at(int64_t row) const {
    return {scale + row * row_stride, zero + row * row_stride, column_stride, bits};
  }

  const float* scale;
  const float* zero;
  int64_t row_stride, column_stride;
  int bits;
};

// Calls fn(row) for every row, over several threads.
template <typename Fn>
void for_each_row(const at::Tensor& x_MK, Fn fn) {
  parallel_for(0, x_MK.size(0), row_grain(x_MK.size(1)), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m)
      fn(m);
  });
}

}  // namespace

ActivationRange activation_range(const at::Tensor& x_MK, ActivationAxis axis) {
  check_input(x_MK);
  QSLAW_CHECK(x_MK.numel() > 0);
  if (x_MK.is_cuda()) return cuda_activation_range(x_MK, axis);
  if (axis == ActivationAxis::channel) return channel_range(x_MK);
  ActivationRange range = token_range(x_MK);
  if (axis == ActivationAxis::token) return range;
  return {range.high.max().view({1, 1}), range.low.min().view({1, 1})};
}

ActivationGrid activation_grid(const ActivationRange& range, const ActivationFormat& format) {
  check_bits(format.bits);
  const at::Tensor high = range.high.contiguous(), low = range.low.contiguous();
  QSLAW_CHECK(high.scalar_type() == at::kFloat && low.scalar_type() == at::kFloat);
  QSLAW_CHECK(low.sizes() == high.sizes() && low.device() == high.device());
  if (high.is_cuda()) return cuda_activation_grid({high, low}, format);
  ActivationGrid grid{at::empty_like(high), at::empty_like(high)};
  for (int64_t i = 0; i < high.numel(); ++i) {
    const float h = high.const_data_ptr<float>()[i], l = low.const_data_ptr<float>()[i];
    const ActivationStep step =
        format.symmetric ? symmetric_step(l, h, format.bits) : asymmetric_step(l, h, format.bits);
    grid.scale.data_ptr<float>()[i] = step.scale;
    grid.zero.data_ptr<float>()[i] = step.zero;
  }
  return grid;
}

at::Tensor quantize_activation(const at::Tensor& x_MK, const ActivationGrid& grid, int bits) {
  check_input(x_MK);
  check_bits(bits);
  const GridReader reader(grid, x_MK, bits);
  if (x_MK.is_cuda()) return cuda_quantize_activation(x_MK, reader.cuda());
  const int64_t K = x_MK.size(1);
  at::Tensor codes = at::empty(x_MK.sizes(), x_MK.options().dtype(at::kChar));
  int8_t* out = codes.data_ptr<int8_t>();
  const ElementReader x(x_MK);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).activation_codes;
  for_each_row(x_MK, [&](int64_t m) { kernel(x.at(m * K), x.type, K, reader.at(m), out + m * K); });
  return codes;
}

at::Tensor dequantize_activation(const at::Tensor& codes_MK, const ActivationGrid& grid,
                                 at::ScalarType dtype) {
  check_input(codes_MK);
  QSLAW_CHECK(codes_MK.scalar_type() == at::kChar);
  const GridReader reader(grid, codes_MK, 8);  // as good as any bits: no codes are made
  if (codes_MK.is_cuda()) return cuda_dequantize_activation(codes_MK, reader.cuda(), dtype);
  // Elementwise IEEE operations of float32, as activation_value has them.
  return ((codes_MK.to(at::kFloat) + grid.zero) / grid.scale).to(dtype);
}

at::Tensor fake_quantize_activation(const at::Tensor& x_MK, const ActivationGrid& grid, int bits) {
  check_input(x_MK);
  check_bits(bits);
  const GridReader reader(grid, x_MK, bits);
  if (x_MK.is_cuda()) return cuda_fake_quantize_activation(x_MK, reader.cuda());
  const int64_t K = x_MK.size(1);
  at::Tensor out = at::empty(x_MK.sizes(), x_MK.options());
  const ElementReader x(x_MK);
  const ElementWriter result(out);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).fake_activation;
  for_each_row(x_MK, [&](int64_t m) { kernel(x.at(m * K), x.type, K, reader.at(m), result.at(m * K)); });
  return out;
}

}  // namespace qslaw
