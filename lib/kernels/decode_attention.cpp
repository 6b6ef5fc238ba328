#include "kernels/decode_attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "kernels/cuda_call.h"
#include "kernels/decode_attention_cpu.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

// Elements of keys and values that make a task worth another thread.
constexpr int64_t kMinTaskElements = 1 << 14;

// On CUDA the slots of a head are split among blocks: 512 of them are some four for each of a GPU's hundred
// multiprocessors, and fewer slots than 64 are not worth one (cuda/decode_attention.cuh). Not measured.
constexpr int64_t kCudaBlocks = 512;
constexpr int64_t kMinSplitSlots = 64;

// By shapes alone: what is queued must not depend on lengths (cuda_graph.h).
int64_t cuda_splits(int64_t heads, int64_t slots) {
  const int64_t wanted = (kCudaBlocks + heads - 1) / heads;
  return std::clamp<int64_t>(slots / kMinSplitSlots, 1, wanted);
}

bool is_aligned(const at::Tensor& tensor) {
  return reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0;
}

bool has_cuda_kernel(const at::Tensor& q_BHS, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS) {
  const int64_t S = q_BHS.size(2);
  return S > 0 && S % 8 == 0 && S <= 256 && keys_BGTS.stride(0) % 8 == 0 && keys_BGTS.stride(1) % 8 == 0 &&
         is_aligned(q_BHS) && is_aligned(keys_BGTS) && is_aligned(values_BGTS);
}

at::Tensor cuda_attention(const at::Tensor& q_BHS, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS,
                          const at::Tensor& lengths) {
  const int64_t B = q_BHS.size(0), H = q_BHS.size(1), S = q_BHS.size(2);
  const int64_t G = keys_BGTS.size(1), T = keys_BGTS.size(2), splits = cuda_splits(B * G, T);
  at::Tensor out = at::empty_like(q_BHS);
  const int64_t part_values = splits > 1 ? B * H * splits * (S + 2) : 0;
  at::Tensor parts = at::empty({part_values}, q_BHS.options().dtype(at::kFloat));
  const CudaAttention shape{B,
                            H,
                            G,
                            T,
                            S,
                            keys_BGTS.stride(0),
                            keys_BGTS.stride(1),
                            splits,
                            1.0F / std::sqrt(static_cast<float>(S))};
  const Element type = element_of(q_BHS.scalar_type());
  cuda_call(q_BHS, "decode_attention", [&](const CudaKernels& kernels, void* stream) {
    return kernels.decode_attention(cuda_input(q_BHS), {keys_BGTS.const_data_ptr(), type},
                                    {values_BGTS.const_data_ptr(), type}, lengths.const_data_ptr<int64_t>(),
                                    shape, parts.data_ptr<float>(), cuda_output(out), stream);
  });
  return out;
}

void check(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS,
           const at::Tensor& lengths_B) {
  QSLAW_CHECK(q_BH1S.dim() == 4 && q_BH1S.size(2) == 1 && keys_BGTS.dim() == 4);
  QSLAW_CHECK(keys_BGTS.sizes() == values_BGTS.sizes() && keys_BGTS.strides() == values_BGTS.strides());
  QSLAW_CHECK(keys_BGTS.size(0) == q_BH1S.size(0) && keys_BGTS.size(3) == q_BH1S.size(3));
  QSLAW_CHECK(keys_BGTS.size(1) > 0 && q_BH1S.size(1) % keys_BGTS.size(1) == 0);
  QSLAW_CHECK(keys_BGTS.scalar_type() == q_BH1S.scalar_type() &&
              values_BGTS.scalar_type() == q_BH1S.scalar_type());
  QSLAW_CHECK(lengths_B.dim() == 1 && lengths_B.size(0) == q_BH1S.size(0) &&
              lengths_B.scalar_type() == at::kLong);
  QSLAW_CHECK(keys_BGTS.device() == q_BH1S.device() && values_BGTS.device() == q_BH1S.device() &&
              lengths_B.device() == q_BH1S.device());
}

template <typename T>
void attend_sequences(const at::Tensor& q_BHS, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS,
                      const int64_t* lengths, at::Tensor& out) {
  const int64_t B = q_BHS.size(0), H = q_BHS.size(1), S = q_BHS.size(2), G = keys_BGTS.size(1);
  const int64_t queries = H / G, longest = *std::max_element(lengths, lengths + B);
  const T* q = q_BHS.const_data_ptr<T>();
  const T* keys = keys_BGTS.const_data_ptr<T>();
  const T* values = values_BGTS.const_data_ptr<T>();
  T* to = out.mutable_data_ptr<T>();
  const float scale = 1.0F / std::sqrt(static_cast<float>(S));
  parallel_for(0, B * G, std::max<int64_t>(1, kMinTaskElements / (longest * S)),
               [&](int64_t begin, int64_t end) {
                 std::vector<float> scores(static_cast<size_t>(queries * longest)),
                     sums(static_cast<size_t>(queries * S));
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t b = task / G, g = task % G;
                   const int64_t cache = b * keys_BGTS.stride(0) + g * keys_BGTS.stride(1),
                                 at = (b * H + g * queries) * S;
                   cpu::attend({queries, lengths[b], S, scale}, q + at, keys + cache, values + cache,
                               scores.data(), sums.data(), to + at);
                 }
               });
}

}  // namespace

at::Tensor decode_attention(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS,
                            const at::Tensor& values_BGTS, const at::Tensor& lengths_B) {
  check(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  const bool rows = keys_BGTS.stride(3) == 1 && keys_BGTS.stride(2) == keys_BGTS.size(3);
  if (!has_kernels(q_BH1S) || !rows)
    return decode_attention_reference(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  if (q_BH1S.numel() == 0) return at::empty_like(q_BH1S);
  const at::Tensor lengths = lengths_B.contiguous(), q_BHS = q_BH1S.squeeze(2).contiguous();
  if (q_BHS.is_cuda()) {
    return has_cuda_kernel(q_BHS, keys_BGTS, values_BGTS)
               ? cuda_attention(q_BHS, keys_BGTS, values_BGTS, lengths).unsqueeze(2)
               : decode_attention_reference(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  }
  for (int64_t b = 0; b < lengths.size(0); ++b) {  // a loop: as operators it costs as much as a short cache
    const int64_t length = lengths.const_data_ptr<int64_t>()[b];
    QSLAW_CHECK(length >= 1 && length <= keys_BGTS.size(2));
  }
  at::Tensor out = at::empty_like(q_BHS);
  with_element_type(q_BHS.scalar_type(), [&](auto zero) {
    attend_sequences<decltype(zero)>(q_BHS, keys_BGTS, values_BGTS, lengths.const_data_ptr<int64_t>(), out);
  });
  return out.unsqueeze(2);
}

at::Tensor decode_attention_reference(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS,
                                      const at::Tensor& values_BGTS, const at::Tensor& lengths_B) {
  check(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  const int64_t repeats = q_BH1S.size(1) / keys_BGTS.size(1);
  const at::Tensor slots = at::arange(keys_BGTS.size(2), lengths_B.options());
  const at::Tensor mask = (slots.unsqueeze(0) < lengths_B.unsqueeze(1)).unsqueeze(1).unsqueeze(1);
  const auto repeated = [&](const at::Tensor& x) {
    return repeats == 1 ? x : x.repeat_interleave(repeats, 1);
  };
  return at::scaled_dot_product_attention(q_BH1S, repeated(keys_BGTS), repeated(values_BGTS), mask);
}

}  // namespace qslaw
