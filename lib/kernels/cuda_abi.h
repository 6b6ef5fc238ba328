// What libqslaw_cuda.so offers: one C symbol, a table of function pointers over plain types, so that device
// code sees no LibTorch header and libqslaw links no CUDA library. Pointers are to memory of the current
// device; those of weights and of gamma's incoming gradient are aligned to 16 bytes, and so are codes and x
// of packed_product; other codes to the bytes of eight of them (3 bits: any).
#pragma once
#include <cstdint>

#include "kernels/adamw_math.h"
#include "kernels/dropout_math.h"
#include "kernels/element.h"
#include "kernels/quant_math.h"

namespace qslaw {

/// Raised with every change of CudaKernels or of a type in it; a library of another version is refused.
inline constexpr int32_t kCudaKernelsVersion = 5;

/// Weights to read, row-major.
struct CudaInput {
  const void* data;
  Element type;
};

/// Weights to write, row-major.
struct CudaOutput {
  void* data;
  Element type;
};

/// rows x columns weights in groups of group_size (a power of two, at least 16, that divides columns)
/// columns.
struct CudaShape {
  int64_t rows, columns, group_size;
  int32_t bits;  // of a code: 2, 3, 4 or 8
};

/// Scale, zero point and gamma of every group, each [rows, columns / group_size]. gamma may be null: 1.
struct CudaGrid {
  const float* scale;
  const int16_t* zero;
  const float* gamma;
};

/// rows x columns values, row-major.
struct CudaRows {
  int64_t rows, columns;
};

/// Products that one call of packed_product has at most.
inline constexpr int32_t kMaxJoined = 3;

/// Packed weights of a product, with scales and zero points, or with a table of 2^bits values and absmax; and
/// where it goes, [tokens, shape.rows].
struct CudaProduct {
  const uint8_t* codes;
  const float* scale;   // null: table codes
  const int16_t* zero;  // null: table codes
  const float* table;   // null: uniform codes
  AbsmaxView absmax;    // table codes only
  CudaShape shape;
  CudaOutput y;
};

/// tokens x heads x 2 * half values; cos and sin have table_tokens rows of 2 * half, which repeat.
struct CudaRotation {
  int64_t tokens, heads, half, table_tokens;
  float direction;  // 1 forward, -1 back
};

/// Constants of row m, column k at m * row_stride + k * column_stride: 0 and 0, 1 and 0, or 0 and 1. bits
/// counts where there are codes to be made.
struct CudaActivationGrid {
  const float* scale;
  const float* zero;
  int64_t row_stride, column_stride;
  int32_t bits;
};

/// Attention of one new token per sequence over a cache of `slots` slots, elements of which lie side by side;
/// strides of keys and values in elements. A head's slots are split among `splits` blocks.
struct CudaAttention {
  int64_t sequences, heads, kv_heads, slots, head_size;
  int64_t sequence_stride, head_stride;
  int64_t splits;
  float scale;  // of scores: 1 / sqrt(head_size)
};

/// One new token per sequence: `heads` queries, `kv_heads` keys and values of 2 * half values each, for a
/// cache of [sequences, kv_heads, slots, 2 * half]; cos and sin have a row of 2 * half per sequence.
struct CudaNewToken {
  int64_t sequences, heads, kv_heads, slots, half;
};

/// The table. Kernels return as soon as they are queued on `stream` (a cudaStream_t) of the current device;
/// the result is null, or the CUDA runtime's words for what went wrong. What each computes: the header
/// of its operator (group_quant.h, packed_product.h, ...). Operands of one call have one element type.
struct CudaKernels {
  int32_t version;
  /// Number of GPUs; where there is none, *reason says why (a static string).
  int32_t (*device_count)(const char** reason);
  /// LibTorch's current stream on `device`.
  void* (*current_stream)(int32_t device);

  const char* (*quantize_packed)(CudaInput weight, CudaGrid grid, CudaShape shape, uint8_t* codes,
                                 void* stream);
  const char* (*dequantize_packed)(const uint8_t* codes, CudaGrid grid, CudaShape shape, CudaOutput out,
                                   void* stream);
  const char* (*fake_quantize)(CudaInput weight, CudaGrid grid, CudaShape shape, CudaOutput out,
                               void* stream);
  const char* (*gamma_gradient)(CudaInput weight, CudaGrid grid, const float* gradient, CudaShape shape,
                                float* out, void* stream);
  /// table: 2^bits values; absmax: of rows * columns / group_size blocks.
  const char* (*dequantize_table)(const uint8_t* codes, AbsmaxView absmax, const float* table,
                                  CudaShape shape, CudaOutput out, void* stream);
  /// x, [tokens, columns], times `count` weights that have one kind of codes and one shape but for the rows.
  const char* (*packed_product)(const CudaProduct* products, int32_t count, CudaInput x, int64_t tokens,
                                void* stream);

  /// high and low: one per row, or one per column by way of `highs` and `lows`, [rows / slab_rows rounded up,
  /// columns] each.
  const char* (*activation_row_range)(CudaInput x, CudaRows shape, float* high, float* low, void* stream);
  const char* (*activation_column_range)(CudaInput x, CudaRows shape, int64_t slab_rows, float* highs,
                                         float* lows, float* high, float* low, void* stream);
  /// high and low: one value each, by way of those of rows.
  const char* (*activation_tensor_range)(CudaInput x, CudaRows shape, float* highs, float* lows, float* high,
                                         float* low, void* stream);
  const char* (*activation_grid)(const float* high, const float* low, int64_t count, int32_t bits,
                                 bool symmetric, float* scale, float* zero, void* stream);
  const char* (*quantize_activation)(CudaInput x, CudaActivationGrid grid, CudaRows shape, int8_t* codes,
                                     void* stream);
  const char* (*dequantize_activation)(const int8_t* codes, CudaActivationGrid grid, CudaRows shape,
                                       CudaOutput out, void* stream);
  const char* (*fake_quantize_activation)(CudaInput x, CudaActivationGrid grid, CudaRows shape,
                                          CudaOutput out, void* stream);

  const char* (*rms_norm)(CudaInput x, CudaInput weight, CudaRows shape, float eps, CudaOutput y,
                          float* inverse_rms, void* stream);
  /// sum: x + delta, rounded; norm: of the sum.
  const char* (*add_rms_norm)(CudaInput x, CudaInput delta, CudaInput weight, CudaRows shape, float eps,
                              CudaOutput sum, CudaOutput norm, void* stream);
  const char* (*rms_norm_gradient)(CudaInput x, CudaInput weight, CudaInput dY, CudaRows shape,
                                   const float* inverse_rms, CudaOutput dX, void* stream);
  /// parts: [rows / slab_rows rounded up, columns]; out: [columns].
  const char* (*rms_norm_weight_gradient)(CudaInput x, CudaInput dY, CudaRows shape, const float* inverse_rms,
                                          int64_t slab_rows, float* parts, float* out, void* stream);
  const char* (*rotate_heads)(CudaInput x, CudaInput cos, CudaInput sin, CudaRotation shape, CudaOutput out,
                              void* stream);
  const char* (*swiglu)(CudaInput gate, CudaInput up, int64_t n, CudaOutput out, void* stream);
  const char* (*swiglu_gradient)(CudaInput gate, CudaInput up, CudaInput dY, int64_t n, CudaOutput dGate,
                                 CudaOutput dUp, void* stream);
  /// Losses of rows of logits; where scale is not null, scale * their gradients take the logits' place.
  const char* (*token_loss)(CudaOutput logits, const int64_t* targets, CudaRows shape, const float* scale,
                            float* nll, void* stream);
  /// Row m times scale[m].
  const char* (*scale_rows)(CudaInput x, const float* scale, CudaRows shape, CudaOutput out, void* stream);
  const char* (*dropout)(CudaInput x, int64_t n, Dropout options, CudaOutput out, void* stream);
  const char* (*add_dropout)(CudaInput x, int64_t n, Dropout options, CudaOutput sum, void* stream);
  /// n values and their moments in place; maxima: one per kMomentBlock values.
  const char* (*adamw_int8)(float* parameter, const float* gradient, int64_t n, AdamWStep step, int8_t* first,
                            float* first_maximum, uint8_t* second, float* second_maximum, void* stream);

  /// Ranges of groups, [rows, columns / group_size] each (shape's bits do not count), and grids of `count`
  /// ranges.
  const char* (*group_range)(CudaInput weight, CudaShape shape, float* high, float* low, void* stream);
  const char* (*group_grid)(const float* high, const float* low, int64_t count, int32_t bits, float* scale,
                            int16_t* zero, void* stream);
  /// Values in groups of at most 256, absmax one per group; codes [rows, columns * bits / 8].
  const char* (*level_codes)(CudaInput values, const float* levels, CudaShape shape, uint8_t* codes,
                             float* absmax, void* stream);

  // Decoding (decode_attention.h, cuda_graph.h).
  /// q and out: [sequences, heads, head_size], head_size a multiple of 8 up to 256, operands aligned to 16
  /// bytes. parts, of more than one split: room for sequences * heads * splits * (head_size + 2) values.
  const char* (*decode_attention)(CudaInput q, CudaInput keys, CudaInput values, const int64_t* lengths,
                                  CudaAttention shape, float* parts, CudaOutput out, void* stream);
  /// A slot that the cache does not have is passed over.
  const char* (*rotate_and_store)(CudaInput q, CudaInput k, CudaInput v, CudaInput cos, CudaInput sin,
                                  const int64_t* slots, CudaNewToken shape, CudaOutput rotated,
                                  CudaOutput keys, CudaOutput values, void* stream);
  /// From graph_begin to graph_end this thread's work on `device`, which must be the current one for all of
  /// these, is recorded instead of done; graph_replay queues it on LibTorch's current stream. A *graph that
  /// is not null must be given to graph_free whatever any of them returns, which ends a recording, too.
  const char* (*graph_begin)(int32_t device, void** graph);
  const char* (*graph_end)(void* graph);
  const char* (*graph_replay)(void* graph);
  void (*graph_free)(void* graph);
};

}  // namespace qslaw

/// The library's one symbol.
extern "C" const qslaw::CudaKernels* qslaw_cuda_kernels();
