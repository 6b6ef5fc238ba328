// The product over blocks of rows and tokens. Included once per instruction set, behind what it computes
// with. These are registers of float32 sums (Sums, of kSumLanes lanes), of multiplicands (Value), and of a
// chunk of codes (Codes); the largest block (kMaxTokens, kRowsOfMany); for each number of bits the shifts of
// a chunk and what of x each of them multiplies (Format); what turns codes into values, of which kParts are
// summed per code (Tables); and a few operations on them. Internal linkage, see row_kernels.h.
#pragma once

namespace qslaw::cpu {
namespace {

// Sizes of a chunk and where its lanes' groups are.
template <int kBits>
struct Chunk {
  static constexpr int64_t kLaneColumns = kBits == 2 ? 16 : kBits == 8 ? 4 : 8;
  static constexpr int64_t kColumns = kSumLanes * kLaneColumns;
  static constexpr int64_t kBytes = kColumns * kBits / 8;
  static constexpr int64_t kElements = Format<kBits>::kXSteps * Format<kBits>::kUnit * kXBytes;  // bytes of x
};

// y[i] = value, to nearest in its type. Every instruction set here has F16C.
inline void store_element(void* y, Element type, int64_t i, float value) {
  if (type == Element::float32) {
    static_cast<float*>(y)[i] = value;
  } else if (type == Element::float16) {
    static_cast<uint16_t*>(y)[i] = _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  } else {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    static_cast<uint16_t*>(y)[i] = value != value ? 0x7FC0 : static_cast<uint16_t>(rounded);
  }
}

// One row's pointers.
struct Row {
  const uint8_t* codes;
  const float* scale;
  const int16_t* zero;
};

inline Row row_at(const ProductWeight& w, int64_t row) {
  const int64_t groups = w.columns / w.group_size;
  return {w.codes + row * (w.columns * w.bits / 8), w.scale + row * groups,
          w.zero ? w.zero + row * groups : nullptr};
}

// scale * zero * sum of x leaves the sums, a register of groups at a time.
template <int kRows, int kTokens>
inline void subtract_zeros(const Row (&rows)[kRows], const float* sums, int64_t groups,
                           Sums (&total)[kRows][kTokens]) {
  for (int64_t g = 0; g < groups; g += kSumLanes) {
    const int64_t left = groups - g;
    Sums x[kTokens];
    for (int t = 0; t < kTokens; ++t)
      x[t] = load_first(sums + t * groups + g, left);
    for (int r = 0; r < kRows; ++r) {
      const Sums offset =
          multiply(load_first(rows[r].scale + g, left), load_first_integers(rows[r].zero + g, left));
      for (int t = 0; t < kTokens; ++t)
        total[r][t] = subtract_product(offset, x[t], total[r][t]);
    }
  }
}

// Adds one chunk of kRows rows and kTokens tokens to `total`.
template <int kBits, bool kTable, int kRows, int kTokens>
inline void add_chunk(const Codes (&codes)[kRows], const Sums (&scale)[kRows],
                      const Tables<kBits, kTable>& tables, const char* x, int64_t token_bytes,
                      Sums (&total)[kRows][kTokens]) {
  using Shape = Format<kBits>;
  Sums sums[kRows][kTokens];
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t)
      sums[r][t] = no_sum();
  }
#pragma GCC unroll 16
  for (int step = 0; step < Shape::kSteps; ++step) {
    const char* from = x + step * Shape::kXSteps / Shape::kSteps * Shape::kUnit * kXBytes;
    Value inputs[kTokens];
    for (int t = 0; t < kTokens; ++t)
      inputs[t] = load_input(from + t * token_bytes);
    for (int r = 0; r < kRows; ++r) {
      const Codes shifted = shift_codes<kBits>(codes[r], step);
      for (int part = 0; part < Tables<kBits, kTable>::kParts; ++part) {
        const Value value = value_of(tables, shifted, step, part);
        for (int t = 0; t < kTokens; ++t)
          sums[r][t] = multiply_add(value, inputs[t], sums[r][t]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t)
      total[r][t] = add_product(scale[r], sums[r][t], total[r][t]);
  }
}

// A product's constants.
template <int kBits, bool kTable>
struct Job {
  const ProductWeight& weight;
  const ProductInput& input;
  const ProductOutput& out;
  Tables<kBits, kTable> tables;
  LaneGroups lane_groups;
};

// How far ahead codes are fetched: rows follow each other in memory, but are too short for the processor to
// notice in time (a core of an EPYC 9004 read 9 GB/s without, 17 with it).
constexpr int64_t kAhead = 4096;

template <int kBits, bool kTable, int kRows, int kTokens>
[[gnu::noinline]] void multiply_block(const Job<kBits, kTable>& job, int64_t row, int64_t token) {
  using Size = Chunk<kBits>;
  const ProductWeight& w = job.weight;
  const int64_t groups = w.columns / w.group_size, row_bytes = w.columns * kBits / 8;
  const int64_t token_bytes = job.input.token_elements * kXBytes;
  const char* x = static_cast<const char*>(job.input.x) + token * token_bytes;
  Row rows[kRows];
  Sums total[kRows][kTokens];
  for (int r = 0; r < kRows; ++r) {
    rows[r] = row_at(w, row + r);
    for (int t = 0; t < kTokens; ++t)
      total[r][t] = no_sum();
  }
  for (int64_t at = 0, column = 0; at < row_bytes; at += Size::kBytes, column += Size::kColumns) {
    const int64_t group = column / w.group_size;
    Codes codes[kRows];
    Sums scale[kRows];
    for (int r = 0; r < kRows; ++r) {
      codes[r] = load_codes<kBits>(rows[r].codes + at, row_bytes - at);
      __builtin_prefetch(rows[r].codes + at + kAhead);
      scale[r] = load_scales(job.lane_groups, rows[r].scale + group, groups - group);
    }
    add_chunk(codes, scale, job.tables, x, token_bytes, total);
    x += Size::kElements;
  }
  if constexpr (!kTable) subtract_zeros(rows, job.input.sums + token * groups, groups, total);
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t)
      store_element(job.out.y, job.out.type, (token + t) * job.out.rows + row + r, fold_sum(total[r][t]));
  }
}

// All tokens of kRows rows, in blocks of tokens.
template <int kBits, bool kTable, int kRows>
void multiply_rows(const Job<kBits, kTable>& job, int64_t row) {
  const int64_t M = job.input.tokens;
  int64_t token = 0;
  for (; token + kMaxTokens <= M; token += kMaxTokens)
    multiply_block<kBits, kTable, kRows, kMaxTokens>(job, row, token);
  for (; token + 2 <= M; token += 2)
    multiply_block<kBits, kTable, kRows, 2>(job, row, token);
  if (token < M) multiply_block<kBits, kTable, kRows, 1>(job, row, token);
}

template <int kBits, bool kTable>
void multiply_all(const ProductWeight& w, const ProductInput& input, const ProductOutput& out, int64_t begin,
                  int64_t end) {
  const Job<kBits, kTable> job{w, input, out, Tables<kBits, kTable>(w.table),
                               LaneGroups(Chunk<kBits>::kLaneColumns, w.group_size)};
  int64_t row = begin;
  // One token waits for memory, which is read fastest row by row.
  if (input.tokens == 1) {
    for (; row < end; ++row)
      multiply_block<kBits, kTable, 1, 1>(job, row, 0);
  }
  for (; row + kRowsOfMany <= end; row += kRowsOfMany)
    multiply_rows<kBits, kTable, kRowsOfMany>(job, row);
  for (; row < end; ++row)
    multiply_rows<kBits, kTable, 1>(job, row);
}

template <bool kTable>
void multiply(const ProductWeight& w, const ProductInput& input, const ProductOutput& out, int64_t begin,
              int64_t end) {
  if (w.bits == 2) return multiply_all<2, kTable>(w, input, out, begin, end);
  if (w.bits == 3) return multiply_all<3, kTable>(w, input, out, begin, end);
  if (w.bits == 4) return multiply_all<4, kTable>(w, input, out, begin, end);
  if constexpr (!kTable) multiply_all<8, kTable>(w, input, out, begin, end);
}

}  // namespace
}  // namespace qslaw::cpu
