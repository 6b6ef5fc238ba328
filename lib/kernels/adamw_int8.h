// AdamW with moments of 8 bits (after Dettmers et al., arXiv 2110.02861: block-wise, a code that is fine near
// zero). A block is 256 values in memory order with one float32 maximum of its own; a value of it is
//     first moment:  sign * (code / 127)^4 * maximum     code -127 .. 127
//     second moment:        (code / 255)^4 * maximum     code 0 .. 255
// The fourth power spaces codes by 3 % (1.6 %) at the maximum and still tells apart 1e-8 of it. Codes are
// rounded up or down at random, with the probabilities that keep the mean: rounding to nearest would hold a
// second moment, which moves by 0.1 % a step, where it is. A second moment above 0 never becomes 0.
#pragma once
#include <ATen/core/Tensor.h>

#include "kernels/adamw_math.h"

namespace qslaw {

struct Int8Moments {
  at::Tensor first;           // int8, the parameter's shape
  at::Tensor second;          // uint8, the parameter's shape
  at::Tensor first_maximum;   // float32 [blocks]
  at::Tensor second_maximum;  // float32 [blocks]
};

/// Moments of 0.
Int8Moments zero_moments(const at::Tensor& parameter);

/// One update of a contiguous float32 parameter and its moments in place. The update itself uses the moments
/// before they are rounded. A function of its arguments alone, whatever the number of threads.
void adamw_int8_step(at::Tensor& parameter, const at::Tensor& gradient, Int8Moments& moments,
                     const AdamWStep& step);

/// The same in LibTorch's operators: what tests compare with. The same codes; parameters differ by a
/// rounding.
void adamw_int8_step_reference(at::Tensor& parameter, const at::Tensor& gradient, Int8Moments& moments,
                               const AdamWStep& step);

/// The moments in float32.
at::Tensor first_moment(const Int8Moments& moments);
at::Tensor second_moment(const Int8Moments& moments);

}  // namespace qslaw
