#include "kernels/absmax_codes.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace qslaw {
namespace {

void check_operand(const at::Tensor& tensor, at::ScalarType dtype, const at::Tensor& beside) {
  QSLAW_CHECK(tensor.is_contiguous() && tensor.scalar_type() == dtype && tensor.device() == beside.device());
}

}  // namespace

AbsmaxCodes AbsmaxCodes::to(at::Device device) const {
  return {codes.to(device), nested_absmax.to(device), offset.to(device), map.to(device)};
}

AbsmaxView view_of(const AbsmaxCodes& absmax, const at::Tensor& codes, int64_t begin) {
  check_operand(absmax.codes, at::kByte, codes);
  for (const at::Tensor& values : {absmax.nested_absmax, absmax.offset, absmax.map})
    check_operand(values, at::kFloat, codes);
  QSLAW_CHECK(absmax.codes.dim() == 2 && absmax.codes.size(0) == codes.size(0) && absmax.codes.size(1) > 0);
  QSLAW_CHECK(absmax.nested_absmax.numel() == (absmax.codes.numel() + kAbsmaxBlock - 1) / kAbsmaxBlock);
  QSLAW_CHECK(absmax.offset.numel() == 1 && absmax.map.numel() == 256);
  return {absmax.codes.const_data_ptr<uint8_t>(), absmax.nested_absmax.const_data_ptr<float>(),
          absmax.offset.const_data_ptr<float>(), absmax.map.const_data_ptr<float>(),
          begin * absmax.codes.size(1)};
}

void cpu::decode_absmax(const AbsmaxView& absmax, int64_t first, int64_t count, float* out) {
  const AbsmaxView view = absmax;  // apart from `out`
  for (int64_t i = 0; i < count; ++i)
    out[i] = absmax_at(view, first + i);
}

}  // namespace qslaw
