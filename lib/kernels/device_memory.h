// Memory that LibTorch's allocator holds on a device, for metrics.jsonl and report.json. All 0 on the CPU.
#pragma once
#include <c10/core/Device.h>

#include <cstdint>

namespace qslaw {

/// Bytes in tensors now.
int64_t current_device_bytes(c10::Device device);

/// The most bytes in tensors at one time since the last reset.
int64_t peak_device_bytes(c10::Device device);
void reset_peak_device_bytes(c10::Device device);

}  // namespace qslaw
