#include "kernels/group_quant.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/cpu_isa.h"
#include "core/error.h"
#include "kernels/cuda_group_quant.h"
#include "kernels/elements.h"
#include "kernels/group_quant_cpu.h"
#include "kernels/parallel.h"
#include "kernels/quant_math.h"
#include "kernels/row_kernels.h"
#include "kernels/scratch.h"

namespace qslaw {
namespace {

constexpr int64_t kBlockElements = 1 << 14, kMinGroup = 32;
constexpr int64_t kRangesPerTask = 1 << 12;  // some ten microseconds

// Calls fn(first group, count) over blocks of consecutive groups, over several threads. Rows follow each
// other without gaps in every operand, so a block may reach over several.
template <typename Fn>
void for_each_block(int64_t groups, int64_t group_size, Fn fn) {
  const int64_t block = std::max<int64_t>(1, kBlockElements / group_size);
  parallel_for(0, groups, 2 * block, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += block)
      fn(first, std::min(block, end - first));
  });
}

// Calls fn(first code, count) over multiples of eight codes, over several threads.
template <typename Fn>
void for_each_eight(int64_t codes, Fn fn) {
  parallel_for(0, codes / 8, kBlockElements / 8,
               [&](int64_t begin, int64_t end) { fn(8 * begin, 8 * (end - begin)); });
}

// A grid's groups from raw pointers, at any place.
struct GroupReader {
  GroupReader(const GroupGrid& grid, const at::Tensor& gamma, int code_bits, int64_t group_size)
      : scale(grid.scale.const_data_ptr<float>()),
        zero(grid.zero.const_data_ptr<int16_t>()),
        gamma_data(gamma.defined() ? gamma.const_data_ptr<float>() : nullptr),
        size(group_size),
        bits(code_bits) {}

  cpu::RowGroups at(int64_t first, int64_t count) const {
    return {count, size, bits, scale + first, zero + first, gamma_data ? gamma_data + first : nullptr};
  }

  const float* scale;
  const int16_t* zero;
  const float* gamma_data;
  int64_t size;
  int bits;
};

void check_operands(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma) {
  QSLAW_CHECK(weight_NK.dim() == 2 && weight_NK.is_contiguous());
  QSLAW_CHECK(grid.scale.is_contiguous() && grid.zero.is_contiguous() &&
              grid.zero.scalar_type() == at::kShort);
  QSLAW_CHECK(grid.scale.size(0) == weight_NK.size(0) && weight_NK.size(1) % grid.scale.size(1) == 0);
  QSLAW_CHECK(!gamma.defined() || (gamma.is_contiguous() && gamma.sizes() == grid.scale.sizes()));
}

// Rows begin..end-1 of K columns fit into `out`.
void check_rows(const at::Tensor& rows, int64_t begin, int64_t end, int64_t K, const at::Tensor& out) {
  QSLAW_CHECK(rows.is_contiguous() && out.is_contiguous());
  QSLAW_CHECK(0 <= begin && begin <= end && end <= rows.size(0));
  QSLAW_CHECK(out.sizes() == at::IntArrayRef({end - begin, K}));
}

at::Tensor empty_like_rows(const at::Tensor& rows, int64_t K, at::ScalarType dtype) {
  return at::empty({rows.size(0), K}, rows.options().dtype(dtype));
}

}  // namespace

GroupGrid grid_rows(const GroupGrid& grid, int64_t begin, int64_t end) {
  return {grid.scale.narrow(0, begin, end - begin), grid.zero.narrow(0, begin, end - begin)};
}

void check_group_shape(const std::string& name, int64_t columns, int bits, int64_t group_size) {
  require(bits == 2 || bits == 3 || bits == 4 || bits == 8, "quantize", "expected bits 2, 3, 4 or 8, got ",
          bits);
  require(group_size == 32 || group_size == 64 || group_size == 128, "quantize",
          "expected group_size 32, 64 or 128, got ", group_size);
  require(columns % group_size == 0, "quantize", name, ": expected a multiple of group_size ", group_size,
          " input columns, got ", columns, " (the last group would have ", columns % group_size,
          "); choose a smaller group_size");
}

GroupRange group_range(const at::Tensor& weight_NK, int64_t group_size) {
  const int64_t N = weight_NK.size(0), groups = weight_NK.size(1) / group_size, G = group_size;
  QSLAW_CHECK(weight_NK.is_contiguous() && groups * G == weight_NK.size(1));
  if (weight_NK.is_cuda()) return cuda_group_range(weight_NK, group_size);
  GroupRange range{at::empty({N, groups}, at::kFloat), at::empty({N, groups}, at::kFloat)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  const ElementReader w(weight_NK);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).range;
  for_each_block(N * groups, G, [&](int64_t first, int64_t count) {
    kernel(w.at(first * G), w.type, count, G, high + first, low + first);
  });
  return range;
}

GroupGrid grid_from_range(const GroupRange& range, int bits) {
  const at::Tensor high = range.high.contiguous(), low = range.low.contiguous();
  QSLAW_CHECK(high.sizes() == low.sizes() && high.device() == low.device());
  if (high.is_cuda()) return cuda_grid_from_range({high, low}, bits);
  GroupGrid grid{at::empty(high.sizes(), at::kFloat), at::empty(high.sizes(), at::kShort)};
  const float* high_data = high.const_data_ptr<float>();
  const float* low_data = low.const_data_ptr<float>();
  float* scale = grid.scale.data_ptr<float>();
  int16_t* zero = grid.zero.data_ptr<int16_t>();
  parallel_for(0, high.numel(), kRangesPerTask, [&](int64_t begin, int64_t end) {
    cpu::range_grids(high_data + begin, low_data + begin, end - begin, bits, scale + begin, zero + begin);
  });
  return grid;
}

at::Tensor quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                           int bits) {
  check_operands(weight_NK, grid, gamma);
  if (weight_NK.is_cuda()) return cuda_quantize_packed(weight_NK, grid, gamma, bits);
  const int64_t K = weight_NK.size(1), G = K / grid.scale.size(1);
  at::Tensor packed = at::empty({weight_NK.size(0), K * bits / 8}, at::kByte);
  uint8_t* codes = packed.data_ptr<uint8_t>();
  const ElementReader w(weight_NK);
  const GroupReader reader(grid, gamma, bits, G);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).quantize;
  for_each_block(grid.scale.numel(), G, [&](int64_t first, int64_t count) {
    kernel(w.at(first * G), w.type, reader.at(first, count), codes + first * G * bits / 8);
  });
  return packed;
}

at::Tensor dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits, at::ScalarType dtype) {
  at::Tensor out = empty_like_rows(codes, codes.size(1) * 8 / bits, dtype);
  dequantize_packed_into(codes, grid, bits, 0, codes.size(0), out);
  return out;
}

void dequantize_packed_into(const at::Tensor& codes, const GroupGrid& grid, int bits, int64_t begin,
                            int64_t end, at::Tensor& out) {
  const int64_t K = codes.size(1) * 8 / bits, groups = grid.scale.size(1), G = K / groups;
  check_rows(codes, begin, end, K, out);
  QSLAW_CHECK(grid.scale.is_contiguous() && grid.zero.is_contiguous());
  if (codes.is_cuda()) {
    const at::Tensor rows = codes.narrow(0, begin, end - begin);
    return cuda_dequantize_packed(rows, grid_rows(grid, begin, end), bits, out);
  }
  const uint8_t* packed = codes.const_data_ptr<uint8_t>() + begin * codes.size(1);
  const GroupReader reader(grid_rows(grid, begin, end), {}, bits, G);
  const ElementWriter w(out);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).dequantize;
  for_each_block((end - begin) * groups, G, [&](int64_t first, int64_t count) {
    kernel(packed + first * G * bits / 8, reader.at(first, count), w.type, w.at(first * G));
  });
}

at::Tensor fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                         int bits, at::ScalarType dtype) {
  at::Tensor out = empty_like_rows(weight_NK, weight_NK.size(1), dtype);
  fake_quantize_into(weight_NK, grid, gamma, bits, out);
  return out;
}

void fake_quantize_into(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma, int bits,
                        at::Tensor& out) {
  const int64_t K = weight_NK.size(1), G = K / grid.scale.size(1);
  check_operands(weight_NK, grid, gamma);
  check_rows(weight_NK, 0, weight_NK.size(0), K, out);
  if (weight_NK.is_cuda()) return cuda_fake_quantize(weight_NK, grid, gamma, bits, out);
  const ElementReader w(weight_NK);
  const ElementWriter result(out);
  const GroupReader reader(grid, gamma, bits, G);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).fake_quantize;
  for_each_block(grid.scale.numel(), G, [&](int64_t first, int64_t count) {
    kernel(w.at(first * G), w.type, reader.at(first, count), result.type, result.at(first * G));
  });
}

at::Tensor scratch_fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                                 int bits, at::ScalarType dtype) {
  at::Tensor out = scratch_matrix(weight_NK.size(0), weight_NK.size(1), weight_NK.options().dtype(dtype));
  fake_quantize_into(weight_NK, grid, gamma, bits, out);
  return out;
}

at::Tensor gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                          const at::Tensor& gradient_NK, int bits) {
  check_operands(weight_NK, grid, gamma);
  QSLAW_CHECK(gamma.defined() && gradient_NK.is_contiguous() && gradient_NK.sizes() == weight_NK.sizes());
  if (weight_NK.is_cuda()) return cuda_gamma_gradient(weight_NK, grid, gamma, gradient_NK, bits);
  const int64_t G = weight_NK.size(1) / grid.scale.size(1);
  at::Tensor out = at::empty(grid.scale.sizes(), at::kFloat);
  const ElementReader w(weight_NK);
  const GroupReader reader(grid, gamma, bits, G);
  const ElementReader gradient(gradient_NK);
  float* result = out.data_ptr<float>();
  const auto kernel = cpu::row_kernels(cpu::active_isa()).gamma_gradient;
  for_each_block(grid.scale.numel(), G, [&](int64_t first, int64_t count) {
    kernel(w.at(first * G), w.type, gradient.at(first * G), gradient.type, reader.at(first, count),
           result + first);
  });
  return out;
}

at::Tensor pack_codes(const at::Tensor& codes_NK, int bits) {
  const at::Tensor codes = codes_NK.contiguous();
  const int64_t N = codes.size(0), K = codes.size(1);
  QSLAW_CHECK(K % 8 == 0 && codes.scalar_type() == at::kByte);
  at::Tensor packed = at::empty({N, K * bits / 8}, at::kByte);
  const uint8_t* from = codes.const_data_ptr<uint8_t>();
  uint8_t* to = packed.data_ptr<uint8_t>();
  for_each_eight(N * K, [&](int64_t first, int64_t count) {
    cpu::pack_row(from + first, count, bits, to + first / 8 * bits);
  });
  return packed;
}

at::Tensor unpack_codes(const at::Tensor& packed, int bits, int64_t columns) {
  QSLAW_CHECK(columns % 8 == 0 && packed.size(1) == columns * bits / 8 && packed.is_contiguous());
  at::Tensor codes = at::empty({packed.size(0), columns}, at::kByte);
  const uint8_t* from = packed.const_data_ptr<uint8_t>();
  uint8_t* to = codes.data_ptr<uint8_t>();
  for_each_eight(codes.numel(), [&](int64_t first, int64_t count) {
    cpu::unpack_row(from + first / 8 * bits, count, bits, to + first);
  });
  return codes;
}

at::Tensor dequantize_table(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                            int bits, at::ScalarType dtype) {
  at::Tensor out = empty_like_rows(codes, codes.size(1) * 8 / bits, dtype);
  dequantize_table_into(codes, absmax, table, bits, 0, codes.size(0), out);
  return out;
}

void dequantize_table_into(const at::Tensor& codes, const AbsmaxCodes& absmax, const at::Tensor& table,
                           int bits, int64_t begin, int64_t end, at::Tensor& out) {
  const AbsmaxView view = view_of(absmax, codes, begin);
  const int64_t K = codes.size(1) * 8 / bits, groups = absmax.codes.size(1), G = K / groups;
  check_rows(codes, begin, end, K, out);
  QSLAW_CHECK(G >= kMinGroup && table.is_contiguous() && table.numel() == int64_t{1} << bits);
  if (codes.is_cuda()) {
    const at::Tensor rows = codes.narrow(0, begin, end - begin);
    return cuda_dequantize_table(rows, view, groups, table, bits, out);
  }
  const uint8_t* packed = codes.const_data_ptr<uint8_t>() + begin * codes.size(1);
  const float* levels = table.const_data_ptr<float>();
  const ElementWriter w(out);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).look_up;
  for_each_block((end - begin) * groups, G, [&](int64_t first, int64_t count) {
    float decoded[kBlockElements / kMinGroup];
    cpu::decode_absmax(view, first, count, decoded);
    kernel(packed + first * G * bits / 8, {count, G, bits, decoded, levels}, w.type, w.at(first * G));
  });
}

}  // namespace qslaw
