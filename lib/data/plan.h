// Which sample comes when: pure functions of the seed, so that any position can be reached at once on resume.
#pragma once
#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/grouped_order.h"

namespace qslaw {

/// One draw: a sample of one of the sources.
struct Draw {
  int32_t source = 0;
  int64_t index = 0;
  auto operator<=>(const Draw&) const = default;
};

/// (progress 0..1, probability of a text sample), linear in between, constant outside the first and last
/// point.
using ShareCurve = std::vector<std::pair<double, double>>;

/// Value of the curve at `progress`. REQUIRES: points sorted by progress, not empty.
double share_at(const ShareCurve& curve, double progress);

/// `count` draws of one source of `size` samples: without replacement within an epoch, each epoch its own
/// order.
std::vector<Draw> plan_single(int64_t size, int64_t count, uint64_t seed);

/// The same, each epoch in an order by modality and length (grouped_order); a step that two epochs share is
/// made of the end of the one and samples of both modalities of the other. REQUIRES: lengths as grouped_order
/// has them.
std::vector<Draw> plan_grouped(const std::vector<int64_t>& lengths, int64_t count, const StepShape& step,
                               uint64_t seed);

/// `count` draws mixing source 0 (pictures) and source 1 (text): at draw i the source is text with
/// probability share_at(curve, i / count). Both sources are drawn without replacement within their own
/// epochs.
std::vector<Draw> plan_mixed(int64_t picture_size, int64_t text_size, int64_t count,
                             const ShareCurve& text_share, uint64_t seed);

/// What rank `rank` of `ranks` processes draws of a plan: the micro-batches of each step are dealt to the
/// ranks in turn, so every rank does micro-batches of the same step and, in a grouped plan, of about equal
/// length. Together the shares are the plan. A last step that is short may leave some ranks with fewer
/// samples, or none. REQUIRES: 0 <= rank < ranks, and step.micro_batches a multiple of ranks.
std::vector<Draw> rank_share(const std::vector<Draw>& plan, const StepShape& step, int64_t rank,
                             int64_t ranks);

}  // namespace qslaw
