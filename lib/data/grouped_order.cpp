#include "data/grouped_order.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "core/error.h"

namespace qslaw {
namespace {

using Numbers = std::vector<int64_t>;
using Steps = std::vector<Numbers>;

void append(Numbers& to, const Numbers& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// To the micro-batch that is shortest so far and not full, one after the other.
Numbers dealt_by_length(const Numbers& members, const Numbers& lengths, const StepShape& step) {
  const size_t most = members.size() / static_cast<size_t>(step.micro_batches);
  Steps hands(static_cast<size_t>(step.micro_batches));
  Numbers sums(hands.size());
  for (const int64_t member : members) {
    size_t shortest = hands.size();
    for (size_t h = 0; h < hands.size(); ++h) {
      const bool is_free = hands[h].size() < most;
      if (is_free && (shortest == hands.size() || sums[h] < sums[shortest])) shortest = h;
    }
    hands[shortest].push_back(member);
    sums[shortest] += std::abs(lengths[static_cast<size_t>(member)]);
  }
  Numbers out;
  for (const Numbers& hand : hands)
    append(out, hand);
  return out;
}

Numbers dealt_in_turn(const Numbers& members, const StepShape& step) {
  const auto stride = static_cast<size_t>(step.micro_batches);
  Numbers out;
  for (size_t first = 0; first < stride; ++first) {
    for (size_t i = first; i < members.size(); i += stride)
      out.push_back(members[i]);
  }
  return out;
}

// One modality's samples; the first step has `first` of them.
Steps steps_of(const Numbers& members, const Numbers& shuffled, const Numbers& lengths, const StepShape& step,
               int64_t first) {
  Steps steps;
  for (size_t begin = 0, end; begin < members.size(); begin = end) {
    end = std::min(begin + static_cast<size_t>(begin == 0 ? first : step.size()), members.size());
    Numbers part;
    for (size_t i = begin; i < end; ++i)
      part.push_back(members[static_cast<size_t>(shuffled[i])]);
    std::stable_sort(part.begin(), part.end(), [&](int64_t a, int64_t b) {
      return std::abs(lengths[static_cast<size_t>(a)]) > std::abs(lengths[static_cast<size_t>(b)]);
    });
    const bool even = part.size() % static_cast<size_t>(step.micro_batches) == 0;
    steps.push_back(even ? dealt_by_length(part, lengths, step) : dealt_in_turn(part, step));
  }
  return steps;
}

Numbers members_of(const Numbers& lengths, bool pictures) {
  Numbers members;
  for (size_t i = 0; i < lengths.size(); ++i) {
    QSLAW_CHECK(lengths[i] != 0);
    if ((lengths[i] > 0) == pictures) members.push_back(static_cast<int64_t>(i));
  }
  return members;
}

// The last step of both; what is left in `pictures` are the others of both.
Numbers take_ends(Steps& pictures, Steps& texts) {
  Numbers end = std::move(pictures.back());
  append(end, texts.back());
  pictures.pop_back();
  pictures.insert(pictures.end(), std::make_move_iterator(texts.begin()),
                  std::make_move_iterator(texts.end() - 1));
  return end;
}

Numbers in_order(const Steps& steps) {
  Numbers out;
  for (const Numbers& step : steps)
    append(out, step);
  return out;
}

}  // namespace

Numbers grouped_order(const Numbers& lengths, const StepShape& step, int64_t lead, const Shuffle& shuffle) {
  QSLAW_CHECK(step.micro_batch_size > 0 && step.micro_batches > 0 && lead >= 0 && lead < step.size());
  const Numbers with = members_of(lengths, true), without = members_of(lengths, false);
  const bool one_modality = with.empty() || without.empty();
  const int64_t first = one_modality && lead > 0 ? lead : step.size();
  const auto group = [&](const Numbers& members, GroupShuffle what) {
    return steps_of(members, shuffle(std::ssize(members), what), lengths, step, first);
  };
  Steps steps = group(with, GroupShuffle::pictures), texts = group(without, GroupShuffle::texts);
  if (one_modality) return in_order(with.empty() ? texts : steps);
  Numbers end = take_ends(steps, texts);
  for (; static_cast<int64_t>(end.size()) < lead && !steps.empty(); steps.pop_back())
    append(end, steps.back());
  std::sort(end.begin(), end.end());
  const auto front = end.begin() + std::min<std::ptrdiff_t>(lead, std::ssize(end));
  Numbers out(end.begin(), front);
  for (const int64_t i : shuffle(std::ssize(steps), GroupShuffle::steps))
    append(out, steps[static_cast<size_t>(i)]);
  out.insert(out.end(), front, end.end());
  return out;
}

}  // namespace qslaw
