// The operands of a product with packed weights, and what of them its kernels read in the same way.
#pragma once
#include "dispatch.cuh"
#include "packed_product_codes.cuh"

namespace qslaw::device {

/// A packed weight [rows, columns], and where x times it goes.
template <typename T>
struct ProductWeight {
  const uint32_t* codes;
  const float* scale;
  const int16_t* zero;
  const float* table;
  AbsmaxView absmax;
  T* y;
  int64_t rows;
};

/// What it is multiplied with; `whole`: rows consist of whole units, which are then aligned to 16 bytes.
template <typename T>
struct ProductInput {
  const T* x;
  int64_t tokens, columns;
  int shift;  // log2 of a group's pieces
  bool whole;
};

/// What a product works on.
template <typename T>
struct ProductJob : ProductWeight<T>, ProductInput<T> {};

/// Products of one x in one launch: at 4 bits a weight of 4096 x 4096 is read in 2 to 3 us, about as long as
/// a launch takes to begin and to end, and to several tokens it has 128 or 64 blocks, where an H100 has room
/// for 264 or 132. Each weight has tiles of rows of its own, behind those of the weight before, so that its
/// sums are those of a launch by itself.
template <typename T>
struct JoinedProducts : ProductInput<T> {
  ProductWeight<T> weights[kMaxJoined];  // behind the last: of no rows
  int64_t first_tile[kMaxJoined + 1];    // of each weight, and the number of all: with_tiles
};

/// With tiles of so many rows.
template <typename T>
JoinedProducts<T> with_tiles(JoinedProducts<T> joined, int64_t tile_rows) {
  joined.first_tile[0] = 0;
  for (int i = 0; i < kMaxJoined; ++i)
    joined.first_tile[i + 1] = joined.first_tile[i] + blocks_for(joined.weights[i].rows, tile_rows);
  return joined;
}

/// A tile's product, and the tile's number among that product's own.
template <typename T>
struct JobTile {
  ProductJob<T> job;
  int64_t index;
};

/// The tile-th of all. Selected value by value: looking them up in the arguments by an index would delay a
/// block's first load.
template <typename T>
__device__ __forceinline__ JobTile<T> job_tile(const JoinedProducts<T>& joined, int64_t tile) {
  ProductWeight<T> own = joined.weights[0];
  int64_t first = 0;
  QSLAW_UNROLL
  for (int i = 1; i < kMaxJoined; ++i) {
    if (tile < joined.first_tile[i]) continue;
    own = joined.weights[i];
    first = joined.first_tile[i];
  }
  return {{own, joined}, tile - first};
}

/// A group's constants as they lie in memory: `factor` is its scale, `integer` its zero point; of table codes
/// the maximum and the code of its absmax.
struct Constants {
  float factor;
  int16_t integer;
};

template <bool kTable, typename T>
__device__ __forceinline__ float scale_of(const ProductJob<T>& job, const Constants& constants) {
  if constexpr (!kTable) return constants.factor;
  return block_absmax(job.absmax.map[constants.integer], constants.factor, *job.absmax.offset);
}

/// Constants of a row's group; row_group counts the groups of the rows before.
template <bool kTable, typename T>
__device__ __forceinline__ Constants constants_of(const ProductJob<T>& job, int64_t row_group,
                                                  int64_t group) {
  if constexpr (kTable) {
    const int64_t block = job.absmax.first + row_group + group;
    return {job.absmax.nested[block / kAbsmaxBlock], job.absmax.codes[block]};
  } else {
    return {(job.scale + row_group)[group], (job.zero + row_group)[group]};
  }
}

}  // namespace qslaw::device
