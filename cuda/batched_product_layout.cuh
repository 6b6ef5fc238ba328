// How batched_product.cuh divides rows, columns and tokens among warps, lanes and shared memory.
//
// A lane of the matrix units' tile owns 4 of its 16 columns, in two rows, and so does its counterpart of x;
// which columns of the matrix these are is free as long as both agree. So a lane takes a piece, 32 columns
// that follow each other, of either row, in 8 tiles; the 4 lanes of a row take neighboring pieces. A tile's 4
// columns of a lane are half an octet of a piece, whose x are 16 bytes.
#pragma once
#include "product_job.cuh"

namespace qslaw::device {

inline constexpr int kSplits = 4;     // warps that share a row: each takes every fourth chunk of its columns
inline constexpr int kTileRows = 16;  // of a warp
inline constexpr int kChunkPieces = 4;  // neighbors that a warp takes at once, one per lane of a row
inline constexpr int kStepPieces = kSplits * kChunkPieces;
inline constexpr int kPieceOctets = kPiece / 8;

/// A block's tile for up to 8 * kOctets tokens.
template <int kOctets>
struct BatchTile {
  static constexpr int kTokens = 8 * kOctets;
  static constexpr int kRowWarps = kOctets == 1 ? 2 : 4;
  static constexpr int kRows = kTileRows * kRowWarps;
  static constexpr int kThreads = 32 * kSplits * kRowWarps;
  static constexpr int kBlocks = 512 / kThreads;  // per multiprocessor, with up to 128 registers per thread
  // x of a step comes in so many stages, of which so many are in shared memory, 48 KB in all at most.
  static constexpr int kParts = kOctets == 4 ? 2 : 1;
  static constexpr int kStages = kOctets == 1 ? 4 : 3;
  static constexpr int kStageOctets = kPieceOctets / kParts;  // of each piece
  static constexpr int kStageSlots = kStepPieces * kStageOctets * kTokens;
  static constexpr int kCopies = kStageSlots / kThreads;  // of each thread
  static_assert(kStageSlots % kThreads == 0 && kStages * kStageSlots * 16 <= 48 * 1024);
  // The warps' sums take the stages' place.
  static_assert((kSplits - 1) * kRowWarps * kOctets * 32 <= kStages * kStageSlots);
};

/// Steps whose codes a lane asks for before it uses them: so many that a multiprocessor has some 16 to 32 KB
/// on their way, with 8 warps (or twice that) or 16, and so few that all fits into 128 registers.
template <int kBits, int kOctets>
inline constexpr int kStepsAhead = kBits == 8 || kOctets > 1 ? 2 : 4;

/// Eight values of x: of a token of the block, a piece of the step, an octet of those that the stage has of
/// it.
struct StagePart {
  int token, piece, octet;
};

/// The index-th of a stage's parts. 32 in a row are 256 or 128 bytes of 2 or 4 tokens, and go to all banks.
template <int kOctets>
QSLAW_HOST_DEVICE StagePart stage_part(int index) {
  using Tile = BatchTile<kOctets>;
  constexpr int kChunkParts = kChunkPieces * Tile::kStageOctets;
  const int part = index % kChunkParts, token = index / kChunkParts % Tile::kTokens;
  const int split = index / (kChunkParts * Tile::kTokens);
  return {token, split * kChunkPieces + part / Tile::kStageOctets, part % Tile::kStageOctets};
}

/// Where a stage has what a lane multiplies with: 16 bytes per slot, those of a warp side by side.
template <int kOctets>
QSLAW_HOST_DEVICE int stage_slot(int split, int octet, int token_octet, int lane) {
  return ((split * BatchTile<kOctets>::kStageOctets + octet) * kOctets + token_octet) * 32 + lane;
}

/// Where a part goes: to the lane of its token and piece.
template <int kOctets>
QSLAW_HOST_DEVICE int part_slot(const StagePart& part) {
  const int lane = part.token % 8 * kChunkPieces + part.piece % kChunkPieces;
  return stage_slot<kOctets>(part.piece / kChunkPieces, part.octet, part.token / 8, lane);
}

/// The codes of a row's piece.
template <int kBits>
__device__ __forceinline__ void load_piece(const uint32_t* row, int piece, uint32_t (&words)[kBits]) {
  if constexpr (kBits == 3) {
    QSLAW_UNROLL
    for (int i = 0; i < kBits; ++i)  // 12 bytes: aligned to 4
      words[i] = (row + piece * kBits)[i];
  } else {
    const Values<uint32_t, kBits> all = load<kBits>(row, piece);
    QSLAW_UNROLL
    for (int i = 0; i < kBits; ++i)
      words[i] = all.values[i];
  }
}

}  // namespace qslaw::device
