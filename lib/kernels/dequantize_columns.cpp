#include "kernels/dequantize_columns.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/cpu_isa.h"
#include "core/error.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"
#include "kernels/row_kernels.h"

namespace qslaw {
namespace {

// Weights that make a task worth another thread.
constexpr int64_t kMinTaskElements = 1 << 15;

// The groups of the asked columns: `count` of each row, which has `per_row`, from `first` on.
struct GroupColumns {
  int64_t per_row, size, first, count;
  int64_t begin(int64_t row) const { return row * per_row + first; }
};

GroupColumns columns_of(const at::Tensor& codes, int64_t per_row, int bits, int64_t begin, int64_t end,
                        const at::Tensor& out) {
  const int64_t K = codes.size(1) * 8 / bits, G = K / per_row;
  QSLAW_CHECK(G * per_row == K && codes.is_cpu() && codes.is_contiguous() && out.is_contiguous());
  QSLAW_CHECK(0 <= begin && begin <= end && end <= K && begin % G == 0 && end % G == 0);
  QSLAW_CHECK(out.sizes() == at::IntArrayRef({codes.size(0), end - begin}));
  return {per_row, G, begin / G, (end - begin) / G};
}

// Calls fn(first row, end) over several threads.
template <typename Fn>
void for_each_row_range(int64_t rows, int64_t width, Fn fn) {
  if (width > 0) parallel_for(0, rows, std::max<int64_t>(1, kMinTaskElements / width), fn);
}

}  // namespace

void dequantize_columns_into(const at::Tensor& codes, const GroupGrid& grid, int bits, int64_t begin,
                             int64_t end, at::Tensor& out) {
  const GroupColumns groups = columns_of(codes, grid.scale.size(1), bits, begin, end, out);
  QSLAW_CHECK(grid.scale.is_contiguous() && grid.scale.size(0) == codes.size(0));
  QSLAW_CHECK(grid.zero.is_contiguous() && grid.zero.scalar_type() == at::kShort);
  const uint8_t* packed = codes.const_data_ptr<uint8_t>();
  const float* scale = grid.scale.const_data_ptr<float>();
  const int16_t* zero = grid.zero.const_data_ptr<int16_t>();
  const ElementWriter w(out);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).dequantize;
  for_each_row_range(codes.size(0), end - begin, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const int64_t group = groups.begin(row);
      kernel(packed + group * groups.size * bits / 8,
             {groups.count, groups.size, bits, scale + group, zero + group, nullptr}, w.type,
             w.at(row * (end - begin)));
    }
  });
}

void dequantize_table_columns_into(const at::Tensor& codes, const AbsmaxCodes& absmax,
                                   const at::Tensor& table, int bits, int64_t begin, int64_t end,
                                   at::Tensor& out) {
  const AbsmaxView view = view_of(absmax, codes);
  const GroupColumns groups = columns_of(codes, absmax.codes.size(1), bits, begin, end, out);
  QSLAW_CHECK(table.is_contiguous() && table.numel() == int64_t{1} << bits);
  const uint8_t* packed = codes.const_data_ptr<uint8_t>();
  const float* levels = table.const_data_ptr<float>();
  const ElementWriter w(out);
  const auto kernel = cpu::row_kernels(cpu::active_isa()).look_up;
  for_each_row_range(codes.size(0), end - begin, [&](int64_t from, int64_t to) {
    std::vector<float> decoded(static_cast<size_t>(groups.count));
    for (int64_t row = from; row < to; ++row) {
      const int64_t group = groups.begin(row);
      cpu::decode_absmax(view, group, groups.count, decoded.data());
      kernel(packed + group * groups.size * bits / 8,
             {groups.count, groups.size, bits, decoded.data(), levels}, w.type, w.at(row * (end - begin)));
    }
  });
}

}  // namespace qslaw
