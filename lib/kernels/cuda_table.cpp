#include "kernels/cuda_table.h"

#include <ATen/ATen.h>
#include <c10/util/env.h>
#include <dlfcn.h>

#include <filesystem>

#include "core/error.h"
#include "core/library_path.h"
#include "kernels/cuda_call.h"
#include "kernels/elements.h"

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

// Makes LibTorch's own operators give the same bits twice, as the project's kernels do. Not as a mere
// warning: with that, LibTorch's attention keeps a backward pass whose atomic additions come in any order.
void make_deterministic() {
  // cuBLAS cuts sums as its workspace allows; LibTorch refuses products unless a size is named before the
  // first.
  constexpr const char* kWorkspace = "CUBLAS_WORKSPACE_CONFIG";
  c10::utils::set_env(kWorkspace, ":4096:8", /*overwrite=*/false);
  const std::string size = c10::utils::get_env(kWorkspace).value_or("");
  require(size == ":4096:8" || size == ":16:8", "cuda", "environment variable ", kWorkspace,
          ": expected :4096:8 (the default) or :16:8, with which products are repeatable, got ", size);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Debugging help that comes along: every new tensor would be filled with NaN first.
  context.setDeterministicFillUninitializedMemory(false);
  // 16-bit products keep float32 sums where cuBLAS adds parts of them.
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

// Without a driver the runtime speaks of its version being insufficient.
[[noreturn]] void fail_without_gpu(const std::string& reason) {
  require(has_nvidia_driver(), "cuda",
          "expected an NVIDIA GPU, got none with a driver (the CUDA runtime: ", reason,
          "); use --device cpu");
  fail("cuda", "expected an NVIDIA GPU, got: ", reason);
}

// Loaded and checked on the first call; a failed call leaves nothing behind and the next one tries again.
const CudaKernels& kernels() {
  static const CudaKernels& table = [&]() -> const CudaKernels& {
    const CudaKernels* opened = open_library();
    const char* reason = "";
    if (opened->device_count(&reason) <= 0) fail_without_gpu(reason);
    // False where LibTorch was asked about CUDA before this library brought it: it remembers its first
    // answer.
    QSLAW_CHECK(at::hasCUDA());
    make_deterministic();
    return *opened;
  }();
  return table;
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

CudaInput cuda_input(const at::Tensor& tensor) {
  QSLAW_CHECK(tensor.is_cuda() && tensor.is_contiguous());
  return {tensor.const_data_ptr(), element_of(tensor.scalar_type())};
}

CudaOutput cuda_output(at::Tensor& tensor) {
  QSLAW_CHECK(tensor.is_cuda() && tensor.is_contiguous());
  return {tensor.mutable_data_ptr(), element_of(tensor.scalar_type())};
}

void check_cuda_operand(const at::Tensor& tensor, at::ScalarType dtype, const at::Tensor& beside) {
  QSLAW_CHECK(tensor.scalar_type() == dtype && tensor.is_contiguous());
  QSLAW_CHECK(tensor.is_cuda() && tensor.device() == beside.device());
}

void check_cuda_alignment(const at::Tensor& tensor) {
  QSLAW_CHECK(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0);
}

void cuda_call(const at::Tensor& beside, const char* name, const CudaCall& call) {
  const c10::DeviceGuard guard(beside.device());
  const char* problem = call(kernels(), kernels().current_stream(beside.get_device()));
  if (problem) throw InternalError(concat("[cuda] ", name, ": ", problem));
}

}  // namespace qslaw
