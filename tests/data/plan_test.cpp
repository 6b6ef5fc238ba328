#include "data/plan.h"

#include <algorithm>
#include <cmath>
#include <ostream>

namespace qslaw {
// LibTorch declares << for every vector, so Catch prints vectors of draws.
std::ostream& operator<<(std::ostream& out, const Draw& draw) {
  return out << draw.source << ":" << draw.index;
}
}  // namespace qslaw

#include <catch2/catch.hpp>

using namespace qslaw;

namespace {

std::vector<int64_t> indices_of(const std::vector<Draw>& plan, int32_t source) {
  std::vector<int64_t> out;
  for (const Draw& draw : plan) {
    if (draw.source == source) out.push_back(draw.index);
  }
  return out;
}

/// Every whole epoch holds every index once, and the last part holds none twice.
void check_epochs(const std::vector<int64_t>& indices, int64_t size) {
  for (size_t from = 0; from < indices.size(); from += static_cast<size_t>(size)) {
    const size_t to = std::min(from + static_cast<size_t>(size), indices.size());
    std::vector<int64_t> epoch(indices.begin() + static_cast<int64_t>(from),
                               indices.begin() + static_cast<int64_t>(to));
    std::sort(epoch.begin(), epoch.end());
    CHECK(std::adjacent_find(epoch.begin(), epoch.end()) == epoch.end());
    CHECK(epoch.front() >= 0);
    CHECK(epoch.back() < size);
  }
}

int64_t texts_between(const std::vector<Draw>& plan, size_t from, size_t to) {
  return std::count_if(plan.begin() + static_cast<int64_t>(from), plan.begin() + static_cast<int64_t>(to),
                       [](const Draw& draw) { return draw.source == 1; });
}

}  // namespace

TEST_CASE("share curve: linear between its points, constant outside") {
  const ShareCurve curve = {{0.2, 1.0}, {0.6, 0.5}, {0.8, 0.0}};
  CHECK(share_at(curve, 0) == 1.0);
  CHECK(share_at(curve, 0.2) == 1.0);
  CHECK(share_at(curve, 0.4) == Approx(0.75));
  CHECK(share_at(curve, 0.6) == Approx(0.5));
  CHECK(share_at(curve, 0.7) == Approx(0.25));
  CHECK(share_at(curve, 0.8) == 0.0);
  CHECK(share_at(curve, 1) == 0.0);
  CHECK(share_at({{0.5, 0.3}}, 0.1) == 0.3);
  CHECK(share_at({{0.5, 0.3}}, 0.9) == 0.3);
  const ShareCurve jump = {{0, 0.2}, {0.5, 0.2}, {0.5, 0.9}, {1, 0.9}};
  CHECK(share_at(jump, 0.4999) == Approx(0.2));
  CHECK(share_at(jump, 0.5) == 0.9);
}

TEST_CASE("single plan: epochs without replacement, each in its own order") {
  const auto plan = plan_single(13, 45, 7);
  REQUIRE(plan.size() == 45);
  const auto indices = indices_of(plan, 0);
  REQUIRE(indices.size() == 45);
  check_epochs(indices, 13);
  const std::vector<int64_t> first(indices.begin(), indices.begin() + 13);
  CHECK(first != std::vector<int64_t>(indices.begin() + 13, indices.begin() + 26));
  CHECK(plan == plan_single(13, 45, 7));
  CHECK(plan != plan_single(13, 45, 8));
  CHECK(plan_single(5, 0, 1).empty());
}

TEST_CASE("single plan: a longer one begins with the shorter one") {
  const auto plan = plan_single(13, 45, 7), longer = plan_single(13, 100, 7);
  CHECK(std::equal(plan.begin(), plan.end(), longer.begin()));
}

TEST_CASE("mixed plan: both sources without replacement, each in the order it has alone") {
  const auto plan = plan_mixed(11, 5, 60, {{0, 0.5}, {1, 0.5}}, 3);
  REQUIRE(plan.size() == 60);
  const auto pictures = indices_of(plan, 0), texts = indices_of(plan, 1);
  CHECK(pictures.size() + texts.size() == 60);
  check_epochs(pictures, 11);
  check_epochs(texts, 5);
  const auto alone = indices_of(plan_single(11, static_cast<int64_t>(pictures.size()), 3), 0);
  CHECK(pictures == alone);
  CHECK(plan == plan_mixed(11, 5, 60, {{0, 0.5}, {1, 0.5}}, 3));
  CHECK(plan != plan_mixed(11, 5, 60, {{0, 0.5}, {1, 0.5}}, 4));
}

TEST_CASE("mixed plan: the share of texts follows the curve") {
  constexpr int64_t count = 20000;
  const auto plan = plan_mixed(100, 100, count, {{0, 1}, {1, 0}}, 11);
  for (int tenth = 0; tenth < 10; ++tenth) {
    const double expected = 1 - (tenth + 0.5) / 10;
    const auto texts = texts_between(plan, tenth * count / 10, (tenth + 1) * count / 10);
    // Binomial with n = 2000: the deviation is at most sqrt(0.25 / 2000) = 0.011; five of them.
    CHECK(std::abs(static_cast<double>(texts) / (count / 10) - expected) < 0.056);
  }
}

TEST_CASE("mixed plan: shares of 0 and 1 leave one source alone, even an empty other one") {
  CHECK(indices_of(plan_mixed(4, 0, 50, {{0, 0}}, 1), 1).empty());
  CHECK(indices_of(plan_mixed(0, 4, 50, {{0, 1}}, 1), 0).empty());
}
