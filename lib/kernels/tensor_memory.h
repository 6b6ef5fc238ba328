// Where tensors on the CPU get their memory.
#pragma once
#include <c10/core/Allocator.h>

namespace qslaw {

/// An allocator for tensors on malloc, aligned to 64 bytes as LibTorch's own is. That one uses
/// posix_memalign, with which glibc before 2.38 does not find the room of a freed block again for a block of
/// the same size, so that a training step holds half as much again as its tensors. c10::Error as LibTorch's
/// ("can't allocate memory") where there is none left. Never destroyed.
c10::Allocator& tensor_memory();

/// Lets LibTorch use it. Call it before the first tensor is made.
void use_tensor_memory();

}  // namespace qslaw
