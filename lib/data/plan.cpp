#include "data/plan.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "core/random.h"

namespace qslaw {
namespace {

constexpr int32_t kPictures = 0;
constexpr int32_t kText = 1;
// Separates the choice between the sources from their orders; no source has this number.
constexpr uint64_t kChoiceStream = 0x7465787473686172ULL;

/// Draws of one source: every epoch is a permutation of its own.
class EpochOrder {
 public:
  EpochOrder(int32_t source, int64_t size, uint64_t seed) : source_(source), size_(size), seed_(seed) {}

  Draw next() {
    QSLAW_CHECK(size_ > 0);
    if (position_ == static_cast<int64_t>(order_.size())) {
      order_ = permutation(size_, mix_seed(seed_, static_cast<uint64_t>(source_), epoch_++));
      position_ = 0;
    }
    return {source_, order_[static_cast<size_t>(position_++)]};
  }

 private:
  int32_t source_;
  int64_t size_;
  uint64_t seed_, epoch_ = 0;
  int64_t position_ = 0;
  std::vector<int64_t> order_;
};

}  // namespace

double share_at(const ShareCurve& curve, double progress) {
  QSLAW_CHECK(!curve.empty());
  if (progress <= curve.front().first) return curve.front().second;
  for (size_t i = 1; i < curve.size(); ++i) {
    const auto& [x0, y0] = curve[i - 1];
    const auto& [x1, y1] = curve[i];
    if (progress < x1) return y0 + (y1 - y0) * (progress - x0) / (x1 - x0);
  }
  return curve.back().second;
}

std::vector<Draw> plan_single(int64_t size, int64_t count, uint64_t seed) {
  EpochOrder order(kPictures, size, seed);
  std::vector<Draw> plan;
  plan.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    plan.push_back(order.next());
  return plan;
}

std::vector<Draw> plan_grouped(const std::vector<int64_t>& lengths, int64_t count, const StepShape& step,
                               uint64_t seed) {
  QSLAW_CHECK(!lengths.empty());
  std::vector<Draw> plan;
  plan.reserve(static_cast<size_t>(count));
  for (uint64_t epoch = 0; std::ssize(plan) < count; ++epoch) {
    const auto shuffle = [&](int64_t size, GroupShuffle what) {
      return permutation(size, mix_seed(seed, kPictures, epoch, 1 + static_cast<uint64_t>(what)));
    };
    const int64_t begun = std::ssize(plan) % step.size();
    for (const int64_t index : grouped_order(lengths, step, begun > 0 ? step.size() - begun : 0, shuffle)) {
      if (std::ssize(plan) < count) plan.push_back({kPictures, index});
    }
  }
  return plan;
}

std::vector<Draw> plan_mixed(int64_t picture_size, int64_t text_size, int64_t count,
                             const ShareCurve& text_share, uint64_t seed) {
  EpochOrder pictures(kPictures, picture_size, seed), texts(kText, text_size, seed);
  std::vector<Draw> plan;
  plan.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double share = share_at(text_share, static_cast<double>(i) / static_cast<double>(count));
    Random random(mix_seed(seed, kChoiceStream, static_cast<uint64_t>(i)));
    plan.push_back(random.uniform() < share ? texts.next() : pictures.next());
  }
  return plan;
}

std::vector<Draw> rank_share(const std::vector<Draw>& plan, const StepShape& step, int64_t rank,
                             int64_t ranks) {
  QSLAW_CHECK(0 <= rank && rank < ranks && step.micro_batches % ranks == 0);
  const int64_t size = step.micro_batch_size, count = std::ssize(plan);
  std::vector<Draw> share;
  share.reserve(static_cast<size_t>(count / ranks + size));
  // As a step holds the same number for every rank, dealing may go on from one step to the next.
  for (int64_t begin = rank * size; begin < count; begin += ranks * size)
    share.insert(share.end(), plan.begin() + begin, plan.begin() + std::min(begin + size, count));
  return share;
}

}  // namespace qslaw
