// SwiGLU's gate and its gradient (lib/kernels/swiglu.h) over all values. Single values by step_math.h's
// arithmetic, which the CPU's loops use too.
#pragma once
#include "dispatch.cuh"
#include "kernels/step_math.h"

namespace qslaw::device {

// One thread per kWidth values. Bytes moved per value: 3 * sizeof(T).
template <typename T, int kWidth>
__global__ void swiglu_kernel(const T* gate, const T* up, int64_t count, T* out) {
  const int64_t i = global_thread();
  if (i >= count) return;
  const Values<T, kWidth> g = load<kWidth>(gate, i), u = load<kWidth>(up, i);
  Values<T, kWidth> y;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j)
    narrow(swiglu_value(widen(g.values[j]), widen(u.values[j]), Rounding<T>{}), y.values[j]);
  store(out, i, y);
}

// One thread per kWidth values. Bytes moved per value: 5 * sizeof(T).
template <typename T, int kWidth>
__global__ void swiglu_gradient_kernel(const T* gate, const T* up, const T* dY, int64_t count, T* dGate,
                                       T* dUp) {
  const int64_t i = global_thread();
  if (i >= count) return;
  const Values<T, kWidth> g = load<kWidth>(gate, i), u = load<kWidth>(up, i), d = load<kWidth>(dY, i);
  Values<T, kWidth> to_gate, to_up;
  QSLAW_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const SwigluGradients gradient =
        swiglu_gradients(widen(g.values[j]), widen(u.values[j]), widen(d.values[j]), Rounding<T>{});
    narrow(gradient.gate, to_gate.values[j]);
    narrow(gradient.up, to_up.values[j]);
  }
  store(dGate, i, to_gate);
  store(dUp, i, to_up);
}

inline const char* swiglu(CudaInput gate, CudaInput up, int64_t n, CudaOutput out, void* stream) {
  return with_type(gate, [&](auto* g) {
    using T = ElementOf<decltype(g)>;
    return with_width(n, {gate.data, up.data, out.data}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      return launch(swiglu_kernel<T, kWidth>, blocks_for(n / kWidth), kThreads, stream, g, as<T>(up),
                    n / kWidth, as<T>(out));
    });
  });
}

inline const char* swiglu_gradient(CudaInput gate, CudaInput up, CudaInput dY, int64_t n, CudaOutput dGate,
                                   CudaOutput dUp, void* stream) {
  return with_type(gate, [&](auto* g) {
    using T = ElementOf<decltype(g)>;
    return with_width(n, {gate.data, up.data, dY.data, dGate.data, dUp.data}, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      return launch(swiglu_gradient_kernel<T, kWidth>, blocks_for(n / kWidth), kThreads, stream, g, as<T>(up),
                    as<T>(dY), n / kWidth, as<T>(dGate), as<T>(dUp));
    });
  });
}

}  // namespace qslaw::device
