// The operands of a product with packed weights, and what of them its kernels read in the same way.
#pragma once
#include "dispatch.cuh"
#include "packed_product_codes.cuh"

namespace qslaw::device {

/// A product's operands; `whole`: rows consist of whole units, which are then aligned to 16 bytes.
template <typename T>
struct ProductJob {
  const uint32_t* codes;
  const float* scale;
  const int16_t* zero;
  const float* table;
  AbsmaxView absmax;
  const T* x;
  T* y;
  int64_t tokens, rows, columns;
  int shift;  // log2 of a group's pieces
  bool whole;
};

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
