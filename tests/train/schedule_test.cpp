#include "train/schedule.h"

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("cosine schedule with linear warm-up: golden values of transformers (method note, G7)") {
  const int64_t total = 175, warmup = warmup_steps(0.03, total);
  CHECK(warmup == 6);
  const auto factor = [&](int64_t i) { return schedule_factor("cosine", i, warmup, total); };
  CHECK(factor(0) == 0.0);
  CHECK(factor(1) == Approx(0.1666666667).epsilon(1e-9));
  CHECK(factor(5) == Approx(0.8333333333).epsilon(1e-9));
  CHECK(factor(6) == 1.0);
  CHECK(factor(7) == Approx(0.9999136119).epsilon(1e-9));
  CHECK(factor(90) == Approx(0.5046472595).epsilon(1e-9));
  CHECK(factor(174) == Approx(8.638808e-05).epsilon(1e-6));
}

TEST_CASE("without warm-up the first step has the full rate, constant stays there") {
  CHECK(schedule_factor("cosine", 0, 0, 10) == 1.0);
  CHECK(schedule_factor("constant", 9, 0, 10) == 1.0);
  CHECK(schedule_factor("constant", 1, 4, 10) == 0.25);
}
