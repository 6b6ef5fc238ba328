#include "kernels/decode_attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "kernels/decode_attention_cpu.h"
#include "kernels/elements.h"
#include "kernels/parallel.h"

namespace qslaw {
namespace {

// Elements of keys and values that make a task worth another thread.
constexpr int64_t kMinTaskElements = 1 << 14;

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
}

template <typename T>
void attend_sequences(const at::Tensor& q_BHS, const at::Tensor& keys_BGTS, const at::Tensor& values_BGTS,
                      const int64_t* lengths, at::Tensor& out) {
  const int64_t B = q_BHS.size(0), H = q_BHS.size(1), S = q_BHS.size(2), G = keys_BGTS.size(1);
  const int64_t T_slots = keys_BGTS.size(2), queries = H / G;
  const T* q = q_BHS.const_data_ptr<T>();
  const T* keys = keys_BGTS.const_data_ptr<T>();
  const T* values = values_BGTS.const_data_ptr<T>();
  T* to = out.mutable_data_ptr<T>();
  const float scale = 1.0F / std::sqrt(static_cast<float>(S));
  parallel_for(0, B * G, std::max<int64_t>(1, kMinTaskElements / (T_slots * S)),
               [&](int64_t begin, int64_t end) {
                 std::vector<float> scores(static_cast<size_t>(queries * T_slots)),
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

// As long as it lives, LibTorch takes operators as they are where no two writes meet, instead of sorting the
// places first (ten kernels for one, per layer and token).
class UnsortedWrites {
 public:
  UnsortedWrites() { at::globalContext().setDeterministicAlgorithms(false, warn_only_); }
  ~UnsortedWrites() { at::globalContext().setDeterministicAlgorithms(before_, warn_only_); }
  UnsortedWrites(const UnsortedWrites&) = delete;
  UnsortedWrites& operator=(const UnsortedWrites&) = delete;

 private:
  bool before_ = at::globalContext().deterministicAlgorithms();
  bool warn_only_ = at::globalContext().deterministicAlgorithmsWarnOnly();
};

}  // namespace

at::Tensor decode_attention(const at::Tensor& q_BH1S, const at::Tensor& keys_BGTS,
                            const at::Tensor& values_BGTS, const at::Tensor& lengths_B) {
  check(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  const bool rows = keys_BGTS.stride(3) == 1 && keys_BGTS.stride(2) == keys_BGTS.size(3);
  if (!q_BH1S.is_cpu() || !is_element(q_BH1S.scalar_type()) || !rows)
    return decode_attention_reference(q_BH1S, keys_BGTS, values_BGTS, lengths_B);
  if (q_BH1S.numel() == 0) return at::empty_like(q_BH1S);
  const at::Tensor lengths = lengths_B.contiguous();
  for (int64_t b = 0; b < lengths.size(0); ++b) {  // a loop: as operators it costs as much as a short cache
    const int64_t length = lengths.const_data_ptr<int64_t>()[b];
    QSLAW_CHECK(length >= 1 && length <= keys_BGTS.size(2));
  }
  const at::Tensor q_BHS = q_BH1S.squeeze(2).contiguous();
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

void store_token(at::Tensor& cache_BGTS, const at::Tensor& new_BG1S, const at::Tensor& slots_B) {
  QSLAW_CHECK(cache_BGTS.is_contiguous() && cache_BGTS.scalar_type() == new_BG1S.scalar_type());
  QSLAW_CHECK(new_BG1S.dim() == 4 && new_BG1S.size(1) == cache_BGTS.size(1) &&
              new_BG1S.size(3) == cache_BGTS.size(3));
  if (!cache_BGTS.is_cpu()) {
    const UnsortedWrites unsorted;
    cache_BGTS.scatter_(2, slots_B.view({-1, 1, 1, 1}).expand_as(new_BG1S), new_BG1S);
    return;
  }
  const at::Tensor from = new_BG1S.contiguous(), slots = slots_B.contiguous();
  const int64_t G = cache_BGTS.size(1), T = cache_BGTS.size(2);
  const auto bytes = static_cast<size_t>(cache_BGTS.size(3) * cache_BGTS.element_size());
  const char* token = static_cast<const char*>(from.const_data_ptr());
  char* cache = static_cast<char*>(cache_BGTS.mutable_data_ptr());
  for (int64_t row = 0; row < from.size(0) * G; ++row) {
    const int64_t slot = slots.const_data_ptr<int64_t>()[row / G];
    QSLAW_CHECK(slot >= 0 && slot < T);
    std::memcpy(cache + static_cast<size_t>(row * T + slot) * bytes, token + static_cast<size_t>(row) * bytes,
                bytes);
  }
}

}  // namespace qslaw
