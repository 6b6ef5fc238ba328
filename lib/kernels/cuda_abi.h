// What libqslaw_cuda.so offers: one C symbol, a table of function pointers over plain types, so that device
// code sees no LibTorch header and libqslaw links no CUDA library. Pointers are to memory of the current
// device; those of weights and codes are aligned to 16 bytes.
#pragma once
#include <cstdint>

namespace qslaw {

/// Raised with every change of CudaKernels or of a type in it; a library of another version is refused.
inline constexpr int32_t kCudaKernelsVersion = 1;

enum class CudaType : int32_t { kFloat32, kBFloat16, kFloat16 };

/// Weights to read, row-major.
struct CudaInput {
  const void* data;
  CudaType type;
};

/// Weights to write, row-major.
struct CudaOutput {
  void* data;
  CudaType type;
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

/// The table. Kernels return as soon as they are queued on `stream` (a cudaStream_t) of the current device;
/// the result is null, or the CUDA runtime's words for what went wrong. What each computes: group_quant.h.
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
  /// table: 2^bits values; absmax: [rows, columns / group_size].
  const char* (*dequantize_table)(const uint8_t* codes, const float* absmax, const float* table,
                                  CudaShape shape, CudaOutput out, void* stream);
};

}  // namespace qslaw

/// The library's one symbol.
extern "C" const qslaw::CudaKernels* qslaw_cuda_kernels();
