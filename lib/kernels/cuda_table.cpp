#include "kernels/cuda_table.h"

#include <ATen/ATen.h>
#include <dlfcn.h>

#include <filesystem>

#include "core/error.h"
#include "core/library_path.h"
#include "kernels/cuda_abi.h"

namespace qslaw {
namespace {

constexpr const char* kLibrary = "libqslaw_cuda.so";

const CudaKernels* open_library() {
  const std::filesystem::path path = library_path(kLibrary);
  // Global, because LibTorch loads further CUDA libraries by name later and they expect its symbols. Never
  // closed.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const std::string reason = dlerror();
    require(path.has_parent_path() || reason.find(kLibrary) != 0, "cuda",
            "this build has no CUDA kernels: expected ", kLibrary,
            " beside the program, in ../lib or on the loader's path; use --device cpu, or build with nvcc");
    fail("cuda", "expected to load ", path.string(), " and LibTorch's CUDA libraries, got: ", reason);
  }
  const auto symbol = reinterpret_cast<decltype(&qslaw_cuda_kernels)>(dlsym(library, "qslaw_cuda_kernels"));
  require(symbol != nullptr, "cuda", "expected qslaw_cuda_kernels in ", path.string(),
          ", got a library without it");
  const CudaKernels* table = symbol();
  require(table->version == kCudaKernelsVersion, "cuda", "expected version ", kCudaKernelsVersion, " of ",
          path.string(), ", got ", table->version, ": it belongs to another build");
  return table;
}

// Loaded and checked on the first call; a failed call leaves nothing behind and the next one tries again.
const CudaKernels& kernels() {
  static const CudaKernels& table = [&]() -> const CudaKernels& {
    const CudaKernels* opened = open_library();
    const char* reason = "";
    require(opened->device_count(&reason) > 0, "cuda", "expected an NVIDIA GPU, got: ", reason);
    // False where LibTorch was asked about CUDA before this library brought it: it remembers its first
    // answer.
    QSLAW_CHECK(at::hasCUDA());
    return *opened;
  }();
  return table;
}

CudaType cuda_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return CudaType::kFloat32;
    case at::kBFloat16:
      return CudaType::kBFloat16;
    case at::kHalf:
      return CudaType::kFloat16;
    default:
      QSLAW_CHECK(!"weights are float32, bfloat16 or float16");
  }
}

// What the device code takes for granted: a dense tensor of this type on the device of `beside`.
void check_operand(const at::Tensor& tensor, at::ScalarType dtype, const at::Tensor& beside) {
  QSLAW_CHECK(tensor.scalar_type() == dtype && tensor.is_contiguous());
  QSLAW_CHECK(tensor.is_cuda() && tensor.device() == beside.device());
}

// Weights and codes are read in vectors of up to 16 bytes.
void check_alignment(const at::Tensor& tensor) {
  QSLAW_CHECK(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0);
}

const uint8_t* packed_codes(const at::Tensor& codes) {
  check_operand(codes, at::kByte, codes);
  check_alignment(codes);
  return codes.const_data_ptr<uint8_t>();
}

CudaInput input(const at::Tensor& weight_NK) {
  check_operand(weight_NK, weight_NK.scalar_type(), weight_NK);
  check_alignment(weight_NK);
  return {weight_NK.const_data_ptr(), cuda_type(weight_NK.scalar_type())};
}

CudaOutput output(at::Tensor& weight_NK) {
  return {weight_NK.mutable_data_ptr(), cuda_type(weight_NK.scalar_type())};
}

// Shape of N x K weights whose groups' constants are `per_group` [N, K/G].
CudaShape shape_of(int64_t N, int64_t K, const at::Tensor& per_group, int bits) {
  QSLAW_CHECK(bits == 2 || bits == 3 || bits == 4 || bits == 8);
  QSLAW_CHECK(per_group.dim() == 2 && per_group.size(0) == N && per_group.size(1) > 0);
  const int64_t G = K / per_group.size(1);
  QSLAW_CHECK(G * per_group.size(1) == K && G >= 16 && (G & (G - 1)) == 0);
  return {N, K, G, bits};
}

CudaGrid grid_of(const GroupGrid& grid, const at::Tensor& gamma, const at::Tensor& beside) {
  check_operand(grid.scale, at::kFloat, beside);
  check_operand(grid.zero, at::kShort, beside);
  QSLAW_CHECK(grid.zero.sizes() == grid.scale.sizes());
  if (gamma.defined()) {
    check_operand(gamma, at::kFloat, beside);
    QSLAW_CHECK(gamma.sizes() == grid.scale.sizes());
  }
  return {grid.scale.const_data_ptr<float>(), grid.zero.const_data_ptr<int16_t>(),
          gamma.defined() ? gamma.const_data_ptr<float>() : nullptr};
}

// Calls launch(stream) with the tensor's device as the current one.
template <typename Launch>
void launch_on(const at::Tensor& tensor, const char* name, Launch launch) {
  const c10::DeviceGuard guard(tensor.device());
  const char* problem = launch(kernels().current_stream(tensor.get_device()));
  if (problem) throw InternalError(concat("[cuda] ", name, ": ", problem));
}

}  // namespace

bool has_nvidia_driver() {
  std::error_code ignored;
  // Linux's own device node, and that of the Windows Subsystem for Linux.
  return std::filesystem::exists("/dev/nvidiactl", ignored) || std::filesystem::exists("/dev/dxg", ignored);
}

void load_cuda() {
  kernels();
}

int64_t cuda_device_count() {
  const char* reason = "";
  return kernels().device_count(&reason);
}

void require_device_index(int64_t index, int64_t count) {
  const std::string last = count > 1 ? concat(" to cuda:", count - 1) : "";
  require(index >= 0 && index < count, "device", "expected cuda:0", last, ", as this process sees ", count,
          count == 1 ? " GPU" : " GPUs", ", got cuda:", index);
}

at::Tensor cuda_quantize_packed(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                                int bits) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  at::Tensor codes = at::empty({shape.rows, shape.columns * bits / 8}, weight_NK.options().dtype(at::kByte));
  launch_on(weight_NK, "quantize_packed", [&](void* stream) {
    return kernels().quantize_packed(weight, groups, shape, codes.data_ptr<uint8_t>(), stream);
  });
  return codes;
}

at::Tensor cuda_dequantize_packed(const at::Tensor& codes, const GroupGrid& grid, int bits,
                                  at::ScalarType dtype) {
  const CudaShape shape = shape_of(codes.size(0), codes.size(1) * 8 / bits, grid.scale, bits);
  const uint8_t* packed = packed_codes(codes);
  const CudaGrid groups = grid_of(grid, {}, codes);
  at::Tensor out = at::empty({shape.rows, shape.columns}, codes.options().dtype(dtype));
  launch_on(codes, "dequantize_packed", [&](void* stream) {
    return kernels().dequantize_packed(packed, groups, shape, output(out), stream);
  });
  return out;
}

at::Tensor cuda_fake_quantize(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                              int bits, at::ScalarType dtype) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  at::Tensor out = at::empty(weight_NK.sizes(), weight_NK.options().dtype(dtype));
  launch_on(weight_NK, "fake_quantize", [&](void* stream) {
    return kernels().fake_quantize(weight, groups, shape, output(out), stream);
  });
  return out;
}

at::Tensor cuda_gamma_gradient(const at::Tensor& weight_NK, const GroupGrid& grid, const at::Tensor& gamma,
                               const at::Tensor& gradient_NK, int bits) {
  const CudaShape shape = shape_of(weight_NK.size(0), weight_NK.size(1), grid.scale, bits);
  const CudaInput weight = input(weight_NK);
  const CudaGrid groups = grid_of(grid, gamma, weight_NK);
  check_operand(gradient_NK, at::kFloat, weight_NK);
  QSLAW_CHECK(gamma.defined() && gradient_NK.sizes() == weight_NK.sizes());
  at::Tensor out = at::empty_like(grid.scale);
  launch_on(weight_NK, "gamma_gradient", [&](void* stream) {
    return kernels().gamma_gradient(weight, groups, gradient_NK.const_data_ptr<float>(), shape,
                                    out.data_ptr<float>(), stream);
  });
  return out;
}

at::Tensor cuda_dequantize_table(const at::Tensor& codes, const at::Tensor& absmax, const at::Tensor& table,
                                 int bits, at::ScalarType dtype) {
  const CudaShape shape = shape_of(codes.size(0), codes.size(1) * 8 / bits, absmax, bits);
  const uint8_t* packed = packed_codes(codes);
  check_operand(absmax, at::kFloat, codes);
  check_operand(table, at::kFloat, codes);
  QSLAW_CHECK(table.numel() == int64_t{1} << bits);
  at::Tensor out = at::empty({shape.rows, shape.columns}, codes.options().dtype(dtype));
  launch_on(codes, "dequantize_table", [&](void* stream) {
    return kernels().dequantize_table(packed, absmax.const_data_ptr<float>(), table.const_data_ptr<float>(),
                                      shape, output(out), stream);
  });
  return out;
}

}  // namespace qslaw
