// Products of one token, and of few in float32, with packed weights, reading nothing but the packed bytes
// (lib/kernels/packed_product.h): y = sum over groups of scale * (sum of code * x - zero * sum of x), or of
// table levels without a zero point. Float32 arithmetic; what each thread adds, and in which order, depends
// on bits, K and G alone, so an output has the same bits whatever tokens are beside it. Several tokens in 16
// bits: batched_product.cuh.
//
// With one token the kernel should wait for nothing but memory. What follows from that:
// - Bytes in flight. An H100 needs some 20 KB of outstanding loads per multiprocessor (3.35 TB/s * 0.8 us /
//   132). A set of threads takes kRows rows at once and every thread issues all its loads of a step, one unit
//   (16 bytes of codes, 48 at 3 bits, 32 at 8 bits) per row, before it uses one: 64 to 192 bytes. So
//   there is no branch and no conversion among the loads. 4096 rows are then 8 to 62 warps per
//   multiprocessor, with 32 to 127 KB between them.
// - Rows per set. Each thread reads the activations of its unit's columns once for all its rows. They come
//   from the first-level cache, in which neighbors' addresses are 64 to 256 bytes apart, slower than its best
//   by 4 to 8. With bfloat16 x, 4 rows at 4 bits and 8 at 2 bits read as many bytes of x as of codes.
// - Threads per row. One step should cover a row of 4096 columns, so that short rows leave no thread idle:
//   for 2, 3, 4, 8 bits 64, 32, 128, 128 threads. The set's sums are joined in the order of lanes and warps.
// - Absmax of table codes are decoded after a step's loads, because a load of theirs waits for another.
// - Instructions. A code becomes a float without shift and conversion (Decoder): 2 instructions, then the
//   multiply-add, and less than one for x. At full speed (15 bytes per clock and multiprocessor) an H100 gets
//   29 weights of 4 bits per clock, for which it has 128 instructions: that fits. Where more weights arrive
//   the instructions are the limit, near 0.6 of the memory's speed at 2 bits, and 0.8 at 4 bits on an H200.
//   Codes of tables take a read of shared memory each, of which a multiprocessor does 32 per clock. To get
//   past that takes the matrix units, whose sums are not float32's.
// Four tokens of float32 share the decoded codes; more tokens are more blocks, which find the codes in the
// second-level cache, because blocks of the same rows follow each other.
#pragma once
#include "batched_product.cuh"
#include "product_job.cuh"
#include "reduce.cuh"

namespace qslaw::device {

/// Adds a piece's products of code and x to `sums`, and its x to `x_sums`.
template <int kBits, bool kTable, typename T, int kRows, int kTokens, int kWords>
__device__ __forceinline__ void add_piece(const uint32_t (&words)[kRows][kWords], int first_word,
                                          const Decoder<kBits, kTable>& decoder, const T* const (&x)[kTokens],
                                          int64_t piece, float (&sums)[kRows][kTokens],
                                          float (&x_sums)[kTokens]) {
  QSLAW_UNROLL
  for (int octet = 0; octet < kPiece / 8; ++octet) {
    float scaled[kTokens][8];
    QSLAW_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const Values<T, 8> values = load<8>(x[t], piece * (kPiece / 8) + octet);
      QSLAW_UNROLL
      for (int j = 0; j < 8; ++j) {
        x_sums[t] += widen(values.values[j]);
        scaled[t][j] = widen(values.values[j]) * decoder.x_factor(j % 4);
      }
    }
    QSLAW_UNROLL
    for (int r = 0; r < kRows; ++r) {
      QSLAW_UNROLL
      for (int j = 0; j < 8; ++j) {
        const uint32_t quad = quad_of<kBits>(words[r] + first_word, 2 * octet + j / 4);
        const float value = decoder.value(quad, j % 4);
        QSLAW_UNROLL
        for (int t = 0; t < kTokens; ++t)
          sums[r][t] = fmaf(value, scaled[t][j], sums[r][t]);
      }
    }
  }
}

/// Constants of the pieces of one row from `piece` on; of those behind the row, of its last.
template <bool kTable, typename T, int kPieces>
__device__ __forceinline__ void load_constants(const ProductJob<T>& job, int64_t row_group, int64_t piece,
                                               Constants (&constants)[kPieces]) {
  const int64_t last = job.columns / kPiece - 1;
  QSLAW_UNROLL
  for (int p = 0; p < kPieces; ++p) {
    const int64_t group = (piece + p < last ? piece + p : last) >> job.shift;
    constants[p] = constants_of<kTable>(job, row_group, group);
  }
}

/// One thread's part of kRows rows, which begin at `row`, for kTokens tokens.
template <bool kWhole, int kBits, bool kTable, typename T, int kTokens>
__device__ __forceinline__ void add_units(const ProductJob<T>& job, const Decoder<kBits, kTable>& decoder,
                                          int64_t row, int64_t token, int member,
                                          float (&total)[ProductTile<kBits>::kRows][kTokens]) {
  using Tile = ProductTile<kBits>;
  const int64_t pieces = job.columns / kPiece, groups = pieces >> job.shift, row_words = pieces * kBits;
  const T* x[kTokens];
  int64_t rows[Tile::kRows];
  QSLAW_UNROLL
  for (int t = 0; t < kTokens; ++t)  // beyond the last: that one again, and not stored
    x[t] = job.x + (token + t < job.tokens ? token + t : job.tokens - 1) * job.columns;
  QSLAW_UNROLL
  for (int r = 0; r < Tile::kRows; ++r)
    rows[r] = row + r < job.rows ? row + r : job.rows - 1;
  for (int64_t unit = member; unit * Tile::kPieces < pieces; unit += Tile::kSetThreads) {
    uint32_t words[Tile::kRows][Tile::kWords];
    Constants constants[Tile::kRows][Tile::kPieces];
    QSLAW_UNROLL
    for (int r = 0; r < Tile::kRows; ++r) {
      load_unit<kBits, kWhole>(job.codes + rows[r] * row_words, unit, row_words, words[r]);
      load_constants<kTable>(job, rows[r] * groups, unit * Tile::kPieces, constants[r]);
    }
    QSLAW_UNROLL
    for (int p = 0; p < Tile::kPieces; ++p) {
      const int64_t piece = unit * Tile::kPieces + p;
      if (piece >= pieces) break;
      float sums[Tile::kRows][kTokens] = {}, x_sums[kTokens] = {};
      add_piece(words, p * kBits, decoder, x, piece, sums, x_sums);
      QSLAW_UNROLL
      for (int r = 0; r < Tile::kRows; ++r) {
        const float scale = scale_of<kTable>(job, constants[r][p]);
        const auto zero = static_cast<float>(constants[r][p].integer);
        QSLAW_UNROLL
        for (int t = 0; t < kTokens; ++t) {
          const float sum = kTable ? sums[r][t] : fmaf(-zero, x_sums[t], sums[r][t]);
          total[r][t] = fmaf(scale, sum, total[r][t]);
        }
      }
    }
  }
}

// A block has kSets sets of kRows rows each, for kTokens tokens.
template <int kBits, bool kTable, typename T, int kTokens>
__global__ void packed_product_kernel(JoinedProducts<T> joined) {
  using Tile = ProductTile<kBits>;
  constexpr int kOutputs = Tile::kRows * kTokens;
  static_assert(kOutputs <= Tile::kSetThreads);
  QSLAW_SHARED(float, levels, [kTable ? 1 << kBits : 1]);
  QSLAW_SHARED(float, parts, [kProductThreads / 32][kOutputs]);
  const int thread = static_cast<int>(threadIdx.x), member = thread % Tile::kSetThreads;
  // 32 bits, which a grid's blocks fit into: a division of 64 bits takes as long as a look into memory.
  const auto token_tiles = static_cast<uint32_t>(kTokens == 1 ? 1 : (joined.tokens + kTokens - 1) / kTokens);
  const auto [job, row_tile] = job_tile(joined, blockIdx.x / token_tiles);
  if constexpr (kTable) {
    for (int i = thread; i < 1 << kBits; i += kProductThreads)
      levels[i] = job.table[i];
    __syncthreads();
  }
  const int64_t row = row_tile * Tile::kBlockRows + thread / Tile::kSetThreads * Tile::kRows;
  const int64_t token = int64_t{blockIdx.x % token_tiles} * kTokens;
  float total[Tile::kRows][kTokens] = {};
  const Decoder<kBits, kTable> decoder{levels};
  if (Tile::kPieces == 1 || job.whole) {
    add_units<true>(job, decoder, row, token, member, total);
  } else {
    add_units<false>(job, decoder, row, token, member, total);
  }
  QSLAW_UNROLL
  for (int i = 0; i < kOutputs; ++i) {
    const float sum = warp_reduce(total[i / kTokens][i % kTokens], Add{});
    if (thread % 32 == 0) parts[thread / 32][i] = sum;
  }
  __syncthreads();
  if (member >= kOutputs) return;
  const int first_warp = (thread - member) / 32;
  const int64_t n = row + member / kTokens, m = token + member % kTokens;
  float sum = parts[first_warp][member];
  for (int warp = 1; warp < Tile::kSetThreads / 32; ++warp)
    sum += parts[first_warp + warp][member];
  if (n < job.rows && m < job.tokens) narrow(sum, job.y[m * job.rows + n]);
}

template <int kBits, bool kTable, int kTokens, typename T>
const char* launch_tile(const JoinedProducts<T>& products, void* stream) {
  const JoinedProducts<T> joined = with_tiles(products, ProductTile<kBits>::kBlockRows);
  return launch(packed_product_kernel<kBits, kTable, T, kTokens>,
                joined.first_tile[kMaxJoined] * blocks_for(joined.tokens, kTokens), kProductThreads, stream,
                joined);
}

template <int kBits, bool kTable, typename T>
const char* launch_products(const JoinedProducts<T>& products, void* stream) {
  if (products.tokens == 1) return launch_tile<kBits, kTable, 1>(products, stream);
  if constexpr (std::is_same_v<T, float>) {
    return launch_tile<kBits, kTable, 4>(products, stream);
  } else {
    return launch_batched_products<kBits, kTable>(products, stream);
  }
}

template <int kBits, typename T>
JoinedProducts<T> join_products(const CudaProduct* products, int32_t count, const T* x, int64_t tokens) {
  const CudaShape& shape = products->shape;
  JoinedProducts<T> joined{};
  for (int32_t i = 0; i < count; ++i) {
    const CudaProduct& own = products[i];
    joined.weights[i] = {reinterpret_cast<const uint32_t*>(own.codes),
                         own.scale,
                         own.zero,
                         own.table,
                         own.absmax,
                         as<T>(own.y),
                         own.shape.rows};
  }
  joined.x = x;
  joined.tokens = tokens;
  joined.columns = shape.columns;
  while ((int64_t{kPiece} << joined.shift) < shape.group_size)
    ++joined.shift;
  joined.whole = shape.columns % (kPiece * ProductTile<kBits>::kPieces) == 0;
  return joined;
}

inline const char* packed_product(const CudaProduct* products, int32_t count, CudaInput x, int64_t tokens,
                                  void* stream) {
  if (count < 1 || count > kMaxJoined) return "too few or too many products to join";
  return with_type(x, [&](auto* from) {
    return with_bits(products->shape, [&](auto bits) {
      constexpr int kBits = decltype(bits)::value;
      const auto joined = join_products<kBits>(products, count, from, tokens);
      return products->table ? launch_products<kBits, true>(joined, stream)
                             : launch_products<kBits, false>(joined, stream);
    });
  });
}

}  // namespace qslaw::device
