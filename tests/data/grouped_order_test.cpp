// Oracle: LLaVA's rule restated in Python (scripts/fixtures/make_group_fixtures.py).
#include "data/grouped_order.h"

#include <algorithm>
#include <numeric>

#include "core/random.h"
#include "core/whitespace.h"
#include "data/plan.h"
#include "data_files.h"

using namespace qslaw;
using Numbers = std::vector<int64_t>;

namespace {

Numbers indices_of(const std::vector<Draw>& plan) {
  Numbers indices;
  for (const Draw& draw : plan)
    indices.push_back(draw.index);
  return indices;
}

// 70 % with pictures; lengths from 1 to 60.
Numbers random_lengths(int64_t count, uint64_t seed) {
  Random random(seed);
  Numbers lengths(static_cast<size_t>(count));
  for (int64_t& length : lengths) {
    length = static_cast<int64_t>(1 + random.below(60));
    if (random.uniform() < 0.3) length = -length;
  }
  return lengths;
}

int64_t mixed_steps(const Numbers& order, const Numbers& lengths, size_t step) {
  int64_t mixed = 0;
  for (size_t begin = 0; begin < order.size(); begin += step) {
    const size_t end = std::min(begin + step, order.size());
    const auto pictures =
        std::count_if(order.begin() + static_cast<long>(begin), order.begin() + static_cast<long>(end),
                      [&](int64_t i) { return lengths[static_cast<size_t>(i)] > 0; });
    mixed += pictures > 0 && pictures < static_cast<long>(end - begin) ? 1 : 0;
  }
  return mixed;
}

}  // namespace

TEST_CASE("grouped order: LLaVA's, given its shuffles") {
  const auto rows = data_files::rows_of("groups.jsonl");
  REQUIRE(rows.size() == 10);
  for (const auto& row : rows) {
    const auto shuffled = [&](int64_t count, GroupShuffle what) {
      const char* const names[] = {"pictures", "texts", "steps"};
      Numbers order = row["shuffles"][names[static_cast<size_t>(what)]];
      REQUIRE(std::ssize(order) == count);
      return order;
    };
    INFO(row["lengths"].dump());
    const StepShape step{row["micro_batch"], row["micro_batches"]};
    CHECK(grouped_order(row["lengths"], step, 0, shuffled) == row["order"].get<Numbers>());
  }
}

TEST_CASE("grouped order: words are counted as Python splits them") {
  const auto rows = data_files::rows_of("words.jsonl");
  REQUIRE(rows.size() == 10);
  for (const auto& row : rows) {
    INFO(row.dump());
    CHECK(count_words(row["text"].get<std::string>()) == row["words"].get<int64_t>());
  }
}

TEST_CASE("grouped plan: every epoch holds every sample once, and few steps mix modalities") {
  const StepShape step{2, 4};
  for (const int64_t size : {1, 5, 8, 75, 161}) {
    const Numbers lengths = random_lengths(size, 40 + static_cast<uint64_t>(size));
    const Numbers order = indices_of(plan_grouped(lengths, 5 * size, step, 3));
    REQUIRE(std::ssize(order) == 5 * size);
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      Numbers all(order.begin() + epoch * size, order.begin() + (epoch + 1) * size);
      std::sort(all.begin(), all.end());
      Numbers expected(static_cast<size_t>(size));
      std::iota(expected.begin(), expected.end(), 0);
      CHECK(all == expected);
    }
    // Per epoch: the last steps of the two modalities, which are at most two, and one in which it begins.
    CHECK(mixed_steps(order, lengths, 8) <= 5 * 3);
  }
}

TEST_CASE("grouped plan: steps of one modality stay whole over epochs") {
  const StepShape step{4, 2};
  Numbers lengths = random_lengths(61, 9);
  for (int64_t& length : lengths)
    length = std::abs(length);
  const Numbers order = indices_of(plan_grouped(lengths, 4 * 61, step, 3));
  // An epoch's first step is what is left of a step that the one before began: from there on, whole steps, in
  // each of whose micro-batches lengths fall.
  for (size_t begin = 64; begin + 8 <= 2 * 61; begin += 4) {
    for (size_t i = begin + 1; i < begin + 4; ++i)
      CHECK(lengths[static_cast<size_t>(order[i])] <= lengths[static_cast<size_t>(order[i - 1])]);
  }
}

TEST_CASE("grouped plan: the same for the same seed, and a longer one begins with the shorter one") {
  const StepShape step{2, 2};
  const Numbers lengths = random_lengths(37, 1);
  const auto plan = plan_grouped(lengths, 90, step, 7), longer = plan_grouped(lengths, 200, step, 7);
  CHECK(std::equal(plan.begin(), plan.end(), longer.begin()));
  CHECK(indices_of(plan) != indices_of(plan_grouped(lengths, 90, step, 8)));
  CHECK(Numbers(indices_of(longer)).size() == 200);
}

TEST_CASE("grouped plan: ranks share it as accelerate deals batches") {
  const auto rows = data_files::rows_of("shares.jsonl");
  REQUIRE(rows.size() == 8);
  for (const auto& row : rows) {
    INFO(row.dump());
    const int64_t count = row["count"], ranks = row["ranks"];
    std::vector<Draw> plan(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
      plan[static_cast<size_t>(i)] = {0, i};
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const auto share = rank_share(plan, {row["micro_batch"], 3 * ranks}, rank, ranks);
      CHECK(indices_of(share) == row["shares"][static_cast<size_t>(rank)].get<Numbers>());
    }
  }
}

TEST_CASE("grouped plan: a rank draws its part of every step") {
  const StepShape step{2, 6};
  const auto plan = plan_grouped(random_lengths(161, 4), 20 * step.size(), step, 3);
  for (int64_t rank = 0; rank < 3; ++rank) {
    const auto share = rank_share(plan, step, rank, 3);
    REQUIRE(std::ssize(share) * 3 == std::ssize(plan));
    for (size_t i = 0; i < share.size(); ++i) {
      const auto begin = plan.begin() + static_cast<long>(i / 4) * 12;
      CHECK(std::find(begin, begin + 12, share[i]) != begin + 12);
    }
  }
}
