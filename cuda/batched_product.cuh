// Products of 2 to some 64 tokens in 16 bits with packed weights, on the matrix units, reading nothing but
// the packed bytes: decoded once per weight, whatever the number of tokens (packed_product.cuh: once per
// four).
//
// Weights are the 16 rows of a tile and tokens its 8 columns, so that few tokens waste little. Uniform codes
// of 2 to 4 bits in groups of 128 and more are multiplied as they are, less their zero point, and a group's
// sums then scaled: the same product as with one token, unrounded. Other codes become the weights that
// dequantizing gives, rounded to 16 bits: the same product as with many tokens (batched_product_weights.cuh).
// Every output is added up in one order, which depends on K alone: four warps take every fourth chunk of 128
// columns, one after the other, and their sums are joined in the warps' order. So it has the same bits
// whatever tokens are beside it.
//
// A block has 32 rows for up to 8 tokens and 64 for more, because it reads all of x: 2 * tokens / rows bytes
// per weight from the second-level cache. x goes to shared memory by copies that run beside the arithmetic, 1
// to 3 steps of 512 columns ahead; codes and constants go to registers, 2 or 4 steps ahead: 16 to 32 KB per
// multiprocessor. Beyond 32 tokens there are more blocks, which find the codes in the second-level cache.
//
// What limits it, in 10^12 weights per second at 4 bits, groups of 128 (0.55 bytes per weight), by figures of
// the H100 (132 multiprocessors of 128 instructions * 1.75 GHz, 3.35 TB/s; the H200's 4.8 TB/s) and some 5.5
// TB/s of the second-level cache; instructions counted in the code for sm_90a. None of it is measured.
//   tokens                          8     16     32     64
//   memory, H100 / H200          6.1/8.8 (all)
//   second-level cache            5.2    5.2    3.5    1.8   0.55 + 2 * tokens / rows bytes, twice at 64
//   instructions                  9.5    8.0    5.4    2.7   3.1, 3.7, 5.5 per weight, twice at 64
//   matrix units (half speed)      30     15    7.4    3.7   a tile per 2 clocks is 256 weights, 8 tokens
//   16-bit weights, H100 / H200  1.5/2.2 (all)               2 bytes at 0.9 of the memory's speed
// So up to 16 tokens could be had at 0.85 of an H100's memory speed and 0.6 of an H200's, and 4 tokens at 0.8
// of it (6.9); 32 tokens still take less time than with 16-bit weights. To get further x must be shared:
// several blocks of a cluster that copy it once, or more rows per block and columns split among blocks.
// Scaled weights cost 5 instructions (5.8) in place of 3.1, and codes of tables 8 (3.7), with a read of the
// table from the first-level cache for each.
#pragma once
#include "batched_product_layout.cuh"
#include "batched_product_weights.cuh"
#if defined(__CUDACC__)
#include "tensor_core.cuh"
#endif

namespace qslaw::device {

/// A lane's codes of a step and what belongs to them: a piece of either of its rows.
template <int kBits>
struct LanePieces {
  uint32_t words[2][kBits];
  Constants constants[2];
};

template <int kBits, bool kTable, typename T>
__device__ __forceinline__ void load_pieces(const ProductJob<T>& job, const int64_t (&rows)[2], int piece,
                                            LanePieces<kBits>& to) {
  const int pieces = static_cast<int>(job.columns / kPiece);
  const int inside = piece < pieces ? piece : pieces - 1;  // beyond: the last again, for an x of zeros
  QSLAW_UNROLL
  for (int r = 0; r < 2; ++r) {
    load_piece<kBits>(job.codes + rows[r] * pieces * kBits, inside, to.words[r]);
    to.constants[r] = constants_of<kTable>(job, rows[r] * (pieces >> job.shift), inside >> job.shift);
  }
}

/// Begins to copy this thread's share of x into a stage's slots; zeros where there is no token or column.
template <int kOctets, typename T>
__device__ __forceinline__ void copy_stage(const ProductJob<T>& job, int64_t first_token, int stage,
                                           FourWords* slots) {
  using Tile = BatchTile<kOctets>;
  QSLAW_UNROLL
  for (int i = 0; i < Tile::kCopies; ++i) {
    const StagePart part = stage_part<kOctets>(static_cast<int>(threadIdx.x) + i * Tile::kThreads);
    const int64_t token = first_token + part.token;
    const int column = (stage / Tile::kParts * kStepPieces + part.piece) * kPiece +
                       (stage % Tile::kParts * Tile::kStageOctets + part.octet) * 8;
    const bool valid = token < job.tokens && column < static_cast<int>(job.columns);
    copy_async(slots + part_slot<kOctets>(part), job.x + token * job.columns + column, valid);
  }
}

/// Adds the products of one octet of a lane's pieces, two tiles per eight tokens, to `sums`.
template <int kBits, typename Weights, typename T, int kOctets>
__device__ __forceinline__ void multiply_octet(const LanePieces<kBits>& pieces, const Weights (&rows)[2],
                                               int octet, const FourWords* x, float (&sums)[kOctets][4]) {
  uint32_t first[4], second[4];
  rows[0].unpack(pieces.words[0], octet, first);
  rows[1].unpack(pieces.words[1], octet, second);
  QSLAW_UNROLL
  for (int t = 0; t < kOctets; ++t) {
    const FourWords eight = x[t * 32];
    uint32_t values[4];
    Weights::arrange(eight.words, values);
    QSLAW_UNROLL
    for (int i = 0; i < 4; i += 2) {
      const uint32_t tile[4] = {first[i], second[i], first[i + 1], second[i + 1]};
      multiply_tile<T>(tile, values[i], values[i + 1], sums[t]);
    }
  }
}

/// Adds a group's sums of unscaled weights, which begin anew.
template <int kOctets>
__device__ __forceinline__ void scale_sums(const float (&scales)[2], float (&group)[kOctets][4],
                                           float (&sums)[kOctets][4]) {
  QSLAW_UNROLL
  for (int t = 0; t < kOctets; ++t) {
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      sums[t][i] = fmaf(scales[i / 2], group[t][i], sums[t][i]);
      group[t][i] = 0.0F;
    }
  }
}

/// Joins the splits' sums in their order and stores them as y.
template <int kOctets, typename T>
__device__ __forceinline__ void store_sums(const ProductJob<T>& job, int64_t first_row, int64_t first_token,
                                           float (&sums)[kOctets][4], FourWords* slots) {
  using Tile = BatchTile<kOctets>;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int split = warp % kSplits;
  FourWords* own = slots + warp / kSplits * kOctets * 32 + lane;
  constexpr int kSplitSlots = Tile::kRowWarps * kOctets * 32;
  if (split > 0) {
    QSLAW_UNROLL
    for (int t = 0; t < kOctets; ++t) {
      FourWords part;
      QSLAW_UNROLL
      for (int i = 0; i < 4; ++i)
        part.words[i] = __builtin_bit_cast(uint32_t, sums[t][i]);
      own[(split - 1) * kSplitSlots + t * 32] = part;
    }
  }
  __syncthreads();
  if (split > 0) return;
  QSLAW_UNROLL
  for (int t = 0; t < kOctets; ++t) {
    QSLAW_UNROLL
    for (int s = 0; s < kSplits - 1; ++s) {
      const FourWords part = own[s * kSplitSlots + t * 32];
      QSLAW_UNROLL
      for (int i = 0; i < 4; ++i)
        sums[t][i] += __builtin_bit_cast(float, part.words[i]);
    }
    QSLAW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int64_t row = first_row + lane / 4 + i / 2 * 8,
                    token = first_token + t * 8 + lane % 4 * 2 + i % 2;
      if (row < job.rows && token < job.tokens) narrow(sums[t][i], job.y[token * job.rows + row]);
    }
  }
}

// kLate: groups are at least as long as a chunk, and scales are applied to the sums of a chunk.
template <int kBits, bool kTable, bool kLate, typename T, int kOctets>
__global__ void __launch_bounds__(BatchTile<kOctets>::kThreads, BatchTile<kOctets>::kBlocks)
    batched_product_kernel(JoinedProducts<T> joined) {
  using Tile = BatchTile<kOctets>;
  using Weights = std::conditional_t<kLate, CodeWeights<kBits, T>, ScaledWeights<kBits, kTable, T>>;
  constexpr int kAhead = kStepsAhead<kBits, kOctets>;
  QSLAW_SHARED(FourWords, slots, [Tile::kStages * Tile::kStageSlots]);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int split = warp % kSplits;
  const auto token_tiles = static_cast<uint32_t>((joined.tokens + Tile::kTokens - 1) / Tile::kTokens);
  const auto [job, row_tile] = job_tile(joined, blockIdx.x / token_tiles);
  const int64_t first_token = int64_t{blockIdx.x % token_tiles} * Tile::kTokens;
  const int64_t first_row = row_tile * Tile::kRows + warp / kSplits * kTileRows;
  const int64_t row = first_row + lane / 4, last = job.rows - 1;  // beyond: the last again, and not stored
  const int64_t rows[2] = {row < last ? row : last, row + 8 < last ? row + 8 : last};
  const int pieces = static_cast<int>(job.columns / kPiece), first_piece = split * kChunkPieces + lane % 4;
  const int steps = (pieces + kStepPieces - 1) / kStepPieces;

  LanePieces<kBits> ahead[kAhead];
  QSLAW_UNROLL
  for (int a = 0; a < kAhead; ++a)
    load_pieces<kBits, kTable>(job, rows, a * kStepPieces + first_piece, ahead[a]);
  for (int stage = 0; stage < Tile::kStages - 1; ++stage) {
    copy_stage<kOctets>(job, first_token, stage, slots + stage * Tile::kStageSlots);
    commit_copies();
  }

  float sums[kOctets][4] = {}, group[kOctets][4] = {};
  int current = 0;  // the stage's place
  for (int first = 0; first < steps; first += kAhead) {
    QSLAW_UNROLL
    for (int a = 0; a < kAhead; ++a) {
      const int step = first + a;
      if (step >= steps) break;
      const bool inside = step * kStepPieces + split * kChunkPieces < pieces;  // alike in the whole warp
      const float scales[2] = {scale_of<kTable>(job, ahead[a].constants[0]),
                               scale_of<kTable>(job, ahead[a].constants[1])};
      const Weights weights[2] = {{job.table, scales[0], static_cast<float>(ahead[a].constants[0].integer)},
                                  {job.table, scales[1], static_cast<float>(ahead[a].constants[1].integer)}};
      QSLAW_UNROLL
      for (int part = 0; part < Tile::kParts; ++part) {
        // Groups of copies behind this stage's: those of the next kStages - 2. The barrier makes all threads'
        // copies visible, and behind it nobody reads the place before this one, which the next copy takes.
        wait_copies<Tile::kStages - 2>();
        __syncthreads();
        const int idle = current == 0 ? Tile::kStages - 1 : current - 1;
        copy_stage<kOctets>(job, first_token, step * Tile::kParts + part + Tile::kStages - 1,
                            slots + idle * Tile::kStageSlots);
        commit_copies();
        if (inside) {
          const FourWords* x = slots + current * Tile::kStageSlots + stage_slot<kOctets>(split, 0, 0, lane);
          QSLAW_UNROLL
          for (int octet = 0; octet < Tile::kStageOctets; ++octet) {
            multiply_octet<kBits, Weights, T>(ahead[a], weights, part * Tile::kStageOctets + octet,
                                              x + octet * kOctets * 32, kLate ? group : sums);
          }
        }
        current = current + 1 == Tile::kStages ? 0 : current + 1;
      }
      if constexpr (kLate) scale_sums(scales, group, sums);
      if (step + kAhead < steps)
        load_pieces<kBits, kTable>(job, rows, (step + kAhead) * kStepPieces + first_piece, ahead[a]);
    }
  }
  wait_copies<0>();  // of stages behind the last: zeros, which must not fall upon the sums
  __syncthreads();
  store_sums(job, first_row, first_token, sums, slots);
}

template <int kBits, bool kTable, bool kLate, int kOctets, typename T>
const char* launch_batch(const JoinedProducts<T>& products, void* stream) {
  using Tile = BatchTile<kOctets>;
  const JoinedProducts<T> joined = with_tiles(products, Tile::kRows);
  return launch(batched_product_kernel<kBits, kTable, kLate, T, kOctets>,
                joined.first_tile[kMaxJoined] * blocks_for(joined.tokens, Tile::kTokens), Tile::kThreads,
                stream, joined);
}

template <int kBits, bool kTable, bool kLate, typename T>
const char* launch_tokens(const JoinedProducts<T>& products, void* stream) {
  if (products.tokens <= 8) return launch_batch<kBits, kTable, kLate, 1>(products, stream);
  if (products.tokens <= 16) return launch_batch<kBits, kTable, kLate, 2>(products, stream);
  return launch_batch<kBits, kTable, kLate, 4>(products, stream);
}

template <int kBits, bool kTable, typename T>
const char* launch_batched_products(const JoinedProducts<T>& products, void* stream) {
  if constexpr (!kTable && kBits < 8) {
    if (1 << products.shift >= kChunkPieces) return launch_tokens<kBits, kTable, true>(products, stream);
  }
  return launch_tokens<kBits, kTable, false>(products, stream);
}

}  // namespace qslaw::device
