#include "core/progress.h"

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("a progress line is cut to the terminal's columns") {
  const std::string line = "tune [####....] 4/8 steps";
  const int length = static_cast<int>(line.size());
  CHECK(fit_columns(line, 200) == line);
  CHECK(fit_columns(line, length) == line);
  CHECK(fit_columns(line, length - 1) == "tune [####....] 4/8 step");
  CHECK(fit_columns(line, 4) == "tune");
  CHECK(fit_columns(line, 0).empty());
  CHECK(fit_columns(line, -1).empty());
  CHECK(fit_columns("", 0).empty());
}

TEST_CASE("a progress line is never cut within a character") {
  const std::string line = "a\xC3\xA4\xE4\xB8\xADz";  // a, an umlaut, an ideograph of two columns, z
  CHECK(fit_columns(line, 6) == line);
  CHECK(fit_columns(line, 5) == "a\xC3\xA4\xE4\xB8\xAD");
  CHECK(fit_columns(line, 4) == "a\xC3\xA4");
  CHECK(fit_columns(line, 3) == "a\xC3\xA4");
  CHECK(fit_columns(line, 2) == "a");
}
