// Host memory of this process, for metrics.jsonl and report.json.
#pragma once
#include <cstdint>

namespace qslaw {

/// The largest resident size since the last reset, in bytes (VmHWM; getrusage where /proc is missing).
int64_t peak_host_bytes();

/// The resident size now, in bytes; 0 where /proc is missing.
int64_t current_host_bytes();

/// Lets peak_host_bytes() start anew from the present size, where the system allows it (Linux's clear_refs).
void reset_peak_host_bytes();

/// Begins a part with a peak of its own, peak_host_bytes_since_mark(); peak_host_bytes() is that of the whole
/// all the same.
void mark_peak_host_bytes();
int64_t peak_host_bytes_since_mark();

}  // namespace qslaw
