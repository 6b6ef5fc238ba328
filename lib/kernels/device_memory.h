// Memory that LibTorch's allocator holds on a device, for metrics.jsonl and report.json (0 on the CPU), and
// what a device has.
#pragma once
#include <c10/core/Device.h>

#include <cstdint>

#include "core/machine_memory.h"

namespace qslaw {

/// What the driver says of a CUDA device, all processes together; takes hold of the device. On the CPU the
/// machine's.
MachineMemory device_memory(c10::Device device);

/// Bytes in tensors now.
int64_t current_device_bytes(c10::Device device);

/// The most bytes in tensors at one time since the last reset.
int64_t peak_device_bytes(c10::Device device);
void reset_peak_device_bytes(c10::Device device);

/// The most bytes that LibTorch's allocator held at one time since the last reset or mark, those in no tensor
/// included: what the driver and nvidia-smi count, but for CUDA's own context and libraries.
int64_t peak_reserved_device_bytes(c10::Device device);
/// Gives what the allocator holds in no tensor back to the driver.
void release_unused_device_memory(c10::Device device);

/// Begins a part with a peak of its own, peak_device_bytes_since_mark(); peak_device_bytes() is that of the
/// whole all the same. REQUIRES: one device in all.
void mark_peak_device_bytes(c10::Device device);
int64_t peak_device_bytes_since_mark(c10::Device device);

}  // namespace qslaw
