// Gradient checkpointing: keep the input of a part of the model instead of its insides, and run it again in
// the backward pass.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

namespace qslaw {

/// What is run again: nothing; of each block the feed-forward half, which holds most of what a block keeps,
/// so that attention runs once; or each block as a whole, of which only the input is kept.
enum class Checkpointing { none, feed_forward, block };

/// fn(x), remembering only x. In the backward pass fn runs again with gradients on; gradients of trainable
/// leaves that fn captures are accumulated into them. fn must compute the same both times and must outlive
/// the backward pass.
at::Tensor run_checkpointed(const std::function<at::Tensor(const at::Tensor&)>& fn, const at::Tensor& x);

/// Lives while run_checkpointed runs `fn` again, in that thread: the backward pass of this one part comes
/// next, so that what both need may stay in between without adding up over the model.
class BackwardFollows {
 public:
  BackwardFollows();
  ~BackwardFollows();
  BackwardFollows(const BackwardFollows&) = delete;
  BackwardFollows& operator=(const BackwardFollows&) = delete;
  /// Whether one lives in this thread.
  static bool here();

 private:
  bool outer_;
};

}  // namespace qslaw
