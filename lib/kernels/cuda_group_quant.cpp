#include "kernels/cuda_group_quant.h"

#include <ATen/ATen.h>

#include <bit>
#include <vector>

#include "core/error.h"
#include "kernels/cuda_call.h"

namespace qslaw {
namespace {

// Codes are read eight at a time, `bits` bytes, so that rows may begin at any of these: a row of few columns
// is shorter than 16 bytes.
const uint8_t* packed_codes(const at::Tensor& codes, int bits) {
  check_cuda_operand(codes, at::kByte, codes);
  const auto address = reinterpret_cast<uintptr_t>(codes.const_data_ptr());
  QSLAW_CHECK(bits == 3 || address % static_cast<uintptr_t>(bits) == 0);
  return codes.const_data_ptr<uint8_t>();
}

CudaInput input(const at::Tensor& weight_NK) {
  check_cuda_alignment(weight_NK);
  return cuda_input(weight_NK);
}

CudaOutput output(at::Tensor& weight_NK, const at::Tensor& beside) {
  check_cuda_alignment(weight_NK);
  QSLAW_CHECK(weight_NK.device() == beside.device());
  return cuda_output(weight_NK);
}

// Shape of N x K weights, `groups` of a row. Where there are no codes, bits is as good as any.
CudaShape shape_of(int64_t N, int64_t K, int64_t groups, int bits = 8) {
  QSLAW_CHECK(bits == 2 || bits == 3 || bits == 4 || bits == 8);
  QSLAW_CHECK(groups > 0);
  const int64_t G = K / groups;
  QSLAW_CHECK(G * groups == K && G >= 16 && std::has_single_bit(static_cast<uint64_t>(G)));
  return {N, K, G, bits};
}

// The same with groups' constants `per_group` [N, K/G].
CudaShape shape_of(int64_t N, int64_t K, const at::Tensor& per_group, int bits) {
  QSLAW_CHECK(per_group.dim() == 2 && per_group.size(0) == N);
  return shape_of(N, K, per_group.size(1), bits);
}

CudaGrid grid_of(const GroupGrid& grid, const at::Tensor& gamma, const at::Tensor& beside) {
  check_cuda_operand(grid.scale, at::kFloat, beside);
  check_cuda_operand(grid.zero, at::kShort, beside);
  QSLAW_CHECK(grid.zero.sizes() == grid.scale.sizes());
  if (gamma.defined()) {
    check_cuda_operand(gamma, at::kFloat, beside);
    QSLAW_CHECK(gamma.sizes() == grid.scale.sizes());
  }
  return {grid.scale.const_data_ptr<float>(), grid.zero.const_data_ptr<int16_t>(),
          gamma.defined() ? gamma.const_data_ptr<float>() : nullptr};
}

}  // namespace

GroupRange cuda_group_range(const at::Tensor& weight_NK, int64_t group_size) {
  QSLAW_CHECK(group_size > 0);
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), weight_NK.size(1) / group_size);
  const CudaInput weight = input(weight_NK);
  const auto options = weight_NK.options().dtype(at::kFloat);
  const std::vector<int64_t> sizes = {shape.rows, shape.columns / group_size};
  GroupRange range{at::empty(sizes, options), at::empty(sizes, options)};
  cuda_call(weight_NK, "group_range", [&](const CudaKernels& kernels, void* stream) {
    return kernels.group_range(weight, shape, range.high.data_ptr<float>(), range.low.data_ptr<float>(),
                               stream);
  });
  return range;
}

GroupGrid cuda_grid_from_range(const GroupRange& range, int bits) {
  check_cuda_operand(range.high, at::kFloat, range.high);
  check_cuda_operand(range.low, at::kFloat, range.high);
  const auto options = range.high.options();
  GroupGrid grid{at::empty(range.high.sizes(), options),
                 at::empty(range.high.sizes(), options.dtype(at::kShort))};
  cuda_call(range.high, "group_grid", [&](const CudaKernels& kernels, void* stream) {
    return kernels.group_grid(range.high.const_data_ptr<float>(), range.low.const_data_ptr<float>(),
                              range.high.numel(), bits, grid.scale.data_ptr<float>(),
                              grid.zero.data_ptr<int16_t>(), stream);
  });
  return grid;
}

at::Tensor cuda_quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                                int bits) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  at::Tensor codes = at::empty({shape.rows, shape.columns * bits / 8}, weight_NK.options().dtype(at::kByte));
  cuda_call(weight_NK, "quantize_packed", [&](const CudaKernels& kernels, void* stream) {
    return kernels.quantize_packed(weight, groups, shape, codes.data_ptr<uint8_t>(), stream);
  });
  return codes;
}

void cuda_dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits, at::Tensor& out) {
  const CudaShape shape = shape_of(out.size(0), out.size(1), grid.scale, bits);
  const uint8_t* packed = packed_codes(codes, bits);
  const CudaGrid groups = grid_of(grid, {}, codes);
  const CudaOutput result = output(out, codes);
  cuda_call(codes, "dequantize_packed", [&](const CudaKernels& kernels, void* stream) {
    return kernels.dequantize_packed(packed, groups, shape, result, stream);
  });
}

void cuda_fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma, int bits,
                        at::Tensor& out) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  const CudaOutput result = output(out, weight_NK);
  cuda_call(weight_NK, "fake_quantize", [&](const CudaKernels& kernels, void* stream) {
    return kernels.fake_quantize(weight, groups, shape, result, stream);
  });
}

at::Tensor cuda_gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                               const at::Tensor& gradient_NK, int bits) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  check_cuda_operand(gradient_NK, at::kFloat, weight_NK);
  check_cuda_alignment(gradient_NK);
  QSLAW_CHECK(gamma.defined() && gradient_NK.sizes() == weight_NK.sizes());
  at::Tensor out = at::empty_like(grid.scale);
  cuda_call(weight_NK, "gamma_gradient", [&](const CudaKernels& kernels, void* stream) {
    return kernels.gamma_gradient(weight, groups, gradient_NK.const_data_ptr<float>(), shape,
                                  out.data_ptr<float>(), stream);
  });
  return out;
}

void cuda_dequantize_table(const at::Tensor& codes, const AbsmaxView& absmax, int64_t groups,
                           const at::Tensor& table, int bits, at::Tensor& out) {
  const CudaShape shape = shape_of(out.size(0), out.size(1), groups, bits);
  const uint8_t* packed = packed_codes(codes, bits);
  check_cuda_operand(table, at::kFloat, codes);
  QSLAW_CHECK(table.numel() == int64_t{1} << bits);
  const CudaOutput result = output(out, codes);
  cuda_call(codes, "dequantize_table", [&](const CudaKernels& kernels, void* stream) {
    return kernels.dequantize_table(packed, absmax, table.const_data_ptr<float>(), shape, result, stream);
  });
}

}  // namespace qslaw
