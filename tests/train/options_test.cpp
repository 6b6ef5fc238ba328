// What the bounds of a training run let through.
#include "train/options.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/key_error.h"

using namespace qslaw;

TEST_CASE("draws are rounded up and bounded") {
  CHECK(draw_count(7.0, "tune.epochs") == 7);
  CHECK(draw_count(7.01, "tune.epochs") == 8);
  CHECK(draw_count(0.001, "tune.epochs") == 1);
  CHECK(draw_count(1e8, "tune.epochs") == 100'000'000);
  for (const double many : {1e8 + 1, 1e19, 1e300, std::numeric_limits<double>::infinity()}) {
    INFO(many);
    CHECK_THROWS_AS(draw_count(many, "tune.epochs"), KeyError);
    CHECK_THROWS_WITH(
        draw_count(many, "tune.epochs"),
        Catch::Contains("expected at most 100000000 samples") && Catch::Contains("tune.epochs"));
  }
}
