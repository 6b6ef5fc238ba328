#include "kernels/group_quant.h"

#include <ATen/ATen.h>

#include <vector>

#include "core/error.h"
#include "kernels/cuda_table.h"
#include "kernels/group_quant_cpu.h"
#include "kernels/parallel.h"
#include "kernels/quant_math.h"

namespace qslaw {
namespace {

constexpr int64_t kMinParallelElements = 1 << 15;

float top_code(int bits) {
  return static_cast<float>((1 << bits) - 1);
}

// Calls fn(row, scratch of K floats) for every row, over several threads.
template <typename Fn>
void for_each_row(int64_t rows, int64_t columns, Fn fn) {
  const int64_t grain = std::max<int64_t>(1, kMinParallelElements / std::max<int64_t>(columns, 1));
  parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(columns));
    for (int64_t row = begin; row < end; ++row)
      fn(row, scratch.data());
  });
}

template <typename Source>
void widen(const Source* source, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(source[i]);
}

template <typename Target>
void narrow(const float* source, int64_t n, Target* out) {
  for (int64_t i = 0; i < n; ++i)
    out[i] = static_cast<Target>(source[i]);
}

// A row of a float32, bfloat16 or float16 matrix as floats: in place, or widened into `scratch`.
const float* read_row(const at::Tensor& matrix, int64_t row, float* scratch) {
  const int64_t K = matrix.size(1);
  switch (matrix.scalar_type()) {
    case at::kFloat:
      return matrix.const_data_ptr<float>() + row * K;
    case at::kBFloat16:
      widen(matrix.const_data_ptr<at::BFloat16>() + row * K, K, scratch);
      return scratch;
    case at::kHalf:
      widen(matrix.const_data_ptr<at::Half>() + row * K, K, scratch);
      return scratch;
    default:
      QSLAW_CHECK(!"weights are float32, bfloat16 or float16");
  }
}

// Runs write(floats) and stores the K floats as row `row` of `out`.
template <typename Write>
void write_row(at::Tensor& out, int64_t row, float* scratch, Write write) {
  const int64_t K = out.size(1);
  switch (out.scalar_type()) {
    case at::kFloat:
      write(out.data_ptr<float>() + row * K);
      return;
    case at::kBFloat16:
      write(scratch);
      narrow(scratch, K, out.data_ptr<at::BFloat16>() + row * K);
      return;
    case at::kHalf:
      write(scratch);
      narrow(scratch, K, out.data_ptr<at::Half>() + row * K);
      return;
    default:
      QSLAW_CHECK(!"weights are float32, bfloat16 or float16");
  }
}

// Reads a grid's groups one at a time.
struct GridReader {
  GridReader(const GroupGrid& grid, const at::Tensor& gamma, int bits)
      : scale(grid.scale.const_data_ptr<float>()),
        zero(grid.zero.const_data_ptr<int16_t>()),
        gamma_data(gamma.defined() ? gamma.const_data_ptr<float>() : nullptr),
        top(top_code(bits)),
        groups(grid.scale.size(1)) {}

  cpu::Group at(int64_t row, int64_t index) const {
    const int64_t i = row * groups + index;
    const float gamma = gamma_data ? gamma_data[i] : 1.0F;
    return {scale[i], scale[i] * gamma, static_cast<float>(zero[i]), gamma, top};
  }

  const float* scale;
  const int16_t* zero;
  const float* gamma_data;
  float top;
  int64_t groups;
};

void check_operands(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma) {
  QSLAW_CHECK(weight_NK.dim() == 2 && weight_NK.is_contiguous());
  QSLAW_CHECK(grid.scale.is_contiguous() && grid.zero.is_contiguous() &&
              grid.zero.scalar_type() == at::kShort);
  QSLAW_CHECK(grid.scale.size(0) == weight_NK.size(0) && weight_NK.size(1) % grid.scale.size(1) == 0);
  QSLAW_CHECK(!gamma.defined() || (gamma.is_contiguous() && gamma.sizes() == grid.scale.sizes()));
}

}  // namespace

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
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1), groups = K / group_size;
  if (weight_NK.is_cuda()) {
    const at::Tensor grouped = weight_NK.view({N, groups, group_size});
    return {grouped.amax(-1).to(at::kFloat), grouped.amin(-1).to(at::kFloat)};
  }
  GroupRange range{at::empty({N, groups}, at::kFloat), at::empty({N, groups}, at::kFloat)};
  float* high = range.high.data_ptr<float>();
  float* low = range.low.data_ptr<float>();
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    const float* w = read_row(weight_NK, row, scratch);
    for (int64_t g = 0; g < groups; ++g) {
      cpu::group_extremes(w + g * group_size, group_size, high[row * groups + g], low[row * groups + g]);
    }
  });
  return range;
}

GroupGrid grid_from_range(const GroupRange& range, int bits) {
  const at::Tensor high = range.high.cpu().contiguous(), low = range.low.cpu().contiguous();
  GroupGrid grid{at::empty_like(high), at::empty(high.sizes(), at::kShort)};
  const float* high_data = high.const_data_ptr<float>();
  const float* low_data = low.const_data_ptr<float>();
  float* scale = grid.scale.data_ptr<float>();
  int16_t* zero = grid.zero.data_ptr<int16_t>();
  for (int64_t i = 0; i < high.numel(); ++i) {
    scale[i] = group_scale(low_data[i], high_data[i], top_code(bits));
    zero[i] = static_cast<int16_t>(group_zero(low_data[i], scale[i]));
  }
  return {grid.scale.to(range.high.device()), grid.zero.to(range.high.device())};
}

at::Tensor quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                           int bits) {
  check_operands(weight_NK, grid, gamma);
  if (weight_NK.is_cuda()) return cuda_quantize_packed(weight_NK, grid, gamma, bits);
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1), G = K / grid.scale.size(1);
  at::Tensor packed = at::empty({N, K * bits / 8}, at::kByte);
  const GridReader reader(grid, gamma, bits);
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    const float* w = read_row(weight_NK, row, scratch);
    std::vector<uint8_t> codes(static_cast<size_t>(K));
    for (int64_t k = 0; k < K; k += G)
      cpu::group_codes(w + k, G, reader.at(row, k / G), codes.data() + k);
    cpu::pack_row(codes.data(), K, bits, packed.data_ptr<uint8_t>() + row * packed.size(1));
  });
  return packed;
}

at::Tensor dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits, at::ScalarType dtype) {
  QSLAW_CHECK(codes.is_contiguous() && grid.scale.is_contiguous() && grid.zero.is_contiguous());
  if (codes.is_cuda()) return cuda_dequantize_packed(codes, grid, bits, dtype);
  const int64_t N = codes.size(0), K = codes.size(1) * 8 / bits, G = K / grid.scale.size(1);
  at::Tensor out = at::empty({N, K}, dtype);
  const GridReader reader(grid, {}, bits);
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    std::vector<uint8_t> unpacked(static_cast<size_t>(K));
    cpu::unpack_row(codes.const_data_ptr<uint8_t>() + row * codes.size(1), K, bits, unpacked.data());
    write_row(out, row, scratch, [&](float* w) {
      for (int64_t k = 0; k < K; k += G)
        cpu::group_dequantize(unpacked.data() + k, G, reader.at(row, k / G), w + k);
    });
  });
  return out;
}

at::Tensor fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                         int bits, at::ScalarType dtype) {
  check_operands(weight_NK, grid, gamma);
  if (weight_NK.is_cuda()) return cuda_fake_quantize(weight_NK, grid, gamma, bits, dtype);
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1), G = K / grid.scale.size(1);
  at::Tensor out = at::empty({N, K}, dtype);
  const GridReader reader(grid, gamma, bits);
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    const float* w = read_row(weight_NK, row, scratch);
    write_row(out, row, scratch, [&](float* result) {
      for (int64_t k = 0; k < K; k += G)
        cpu::group_fake_quantize(w + k, G, reader.at(row, k / G), result + k);
    });
  });
  return out;
}

at::Tensor gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                          const at::Tensor& gradient_NK, int bits) {
  check_operands(weight_NK, grid, gamma);
  QSLAW_CHECK(gamma.defined() && gradient_NK.is_contiguous() && gradient_NK.scalar_type() == at::kFloat);
  if (weight_NK.is_cuda()) return cuda_gamma_gradient(weight_NK, grid, gamma, gradient_NK, bits);
  const int64_t N = weight_NK.size(0), K = weight_NK.size(1), groups = grid.scale.size(1), G = K / groups;
  at::Tensor out = at::empty({N, groups}, at::kFloat);
  const GridReader reader(grid, gamma, bits);
  const float* gradient = gradient_NK.const_data_ptr<float>();
  float* result = out.data_ptr<float>();
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    const float* w = read_row(weight_NK, row, scratch);
    for (int64_t g = 0; g < groups; ++g) {
      result[row * groups + g] =
          cpu::group_gamma_gradient(w + g * G, gradient + row * K + g * G, G, reader.at(row, g));
    }
  });
  return out;
}

at::Tensor pack_codes(const at::Tensor& codes_NK, int bits) {
  const at::Tensor codes = codes_NK.contiguous();
  const int64_t N = codes.size(0), K = codes.size(1);
  QSLAW_CHECK(K % 8 == 0 && codes.scalar_type() == at::kByte);
  at::Tensor packed = at::empty({N, K * bits / 8}, at::kByte);
  for (int64_t row = 0; row < N; ++row) {
    cpu::pack_row(codes.const_data_ptr<uint8_t>() + row * K, K, bits,
                  packed.data_ptr<uint8_t>() + row * packed.size(1));
  }
  return packed;
}

at::Tensor unpack_codes(const at::Tensor& packed, int bits, int64_t columns) {
  QSLAW_CHECK(columns % 8 == 0 && packed.size(1) == columns * bits / 8 && packed.is_contiguous());
  at::Tensor codes = at::empty({packed.size(0), columns}, at::kByte);
  for (int64_t row = 0; row < packed.size(0); ++row) {
    cpu::unpack_row(packed.const_data_ptr<uint8_t>() + row * packed.size(1), columns, bits,
                    codes.data_ptr<uint8_t>() + row * columns);
  }
  return codes;
}

at::Tensor dequantize_table(const at::Tensor& codes, const at::Tensor& absmax, const at::Tensor& table,
                            int bits, at::ScalarType dtype) {
  if (codes.is_cuda()) return cuda_dequantize_table(codes, absmax, table, bits, dtype);
  const int64_t N = codes.size(0), K = codes.size(1) * 8 / bits, groups = absmax.size(1), G = K / groups;
  at::Tensor out = at::empty({N, K}, dtype);
  const float* levels = table.const_data_ptr<float>();
  const float* absmax_data = absmax.const_data_ptr<float>();
  for_each_row(N, K, [&](int64_t row, float* scratch) {
    std::vector<uint8_t> unpacked(static_cast<size_t>(K));
    cpu::unpack_row(codes.const_data_ptr<uint8_t>() + row * codes.size(1), K, bits, unpacked.data());
    write_row(out, row, scratch, [&](float* w) {
      for (int64_t g = 0; g < groups; ++g) {
        cpu::group_lookup(unpacked.data() + g * G, G, levels, absmax_data[row * groups + g], w + g * G);
      }
    });
  });
  return out;
}

}  // namespace qslaw
