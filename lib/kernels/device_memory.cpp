#include "kernels/device_memory.h"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <atomic>

namespace qslaw {
namespace {

std::atomic<int64_t> peak_before_mark = 0;

// Null on the CPU, and before anything was allocated on the device.
c10::DeviceAllocator* allocator_of(c10::Device device) {
  if (device.is_cpu()) return nullptr;
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  return allocator->initialized() ? allocator : nullptr;
}

using c10::CachingAllocator::Stat;

Stat all_pools(const c10::CachingAllocator::StatArray& stats) {
  return stats[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
}

Stat bytes_in_tensors(c10::DeviceAllocator& allocator, c10::Device device) {
  return all_pools(allocator.getDeviceStats(device.index()).allocated_bytes);
}

}  // namespace

MachineMemory device_memory(c10::Device device) {
  if (device.is_cpu()) return machine_memory();
  at::empty({1}, at::TensorOptions().device(device));  // the allocator answers once it has been used
  const auto [available, total] = c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
  return {static_cast<int64_t>(available), static_cast<int64_t>(total)};
}

int64_t current_device_bytes(c10::Device device) {
  c10::DeviceAllocator* allocator = allocator_of(device);
  return allocator ? bytes_in_tensors(*allocator, device).current : 0;
}

int64_t peak_device_bytes_since_mark(c10::Device device) {
  c10::DeviceAllocator* allocator = allocator_of(device);
  return allocator ? bytes_in_tensors(*allocator, device).peak : 0;
}

int64_t peak_device_bytes(c10::Device device) {
  return std::max(peak_before_mark.load(), peak_device_bytes_since_mark(device));
}

void reset_peak_device_bytes(c10::Device device) {
  peak_before_mark = 0;
  if (c10::DeviceAllocator* allocator = allocator_of(device)) allocator->resetPeakStats(device.index());
}

int64_t peak_reserved_device_bytes(c10::Device device) {
  c10::DeviceAllocator* allocator = allocator_of(device);
  return allocator ? all_pools(allocator->getDeviceStats(device.index()).reserved_bytes).peak : 0;
}

void release_unused_device_memory(c10::Device device) {
  if (c10::DeviceAllocator* allocator = allocator_of(device)) allocator->emptyCache();
}

void mark_peak_device_bytes(c10::Device device) {
  const int64_t peak = peak_device_bytes(device);
  reset_peak_device_bytes(device);
  peak_before_mark = peak;
}

}  // namespace qslaw
