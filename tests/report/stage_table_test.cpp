#include "report/stage_table.h"

#include <catch2/catch.hpp>

#include "metric_lines.h"

using namespace qslaw;
using nlohmann::json;

namespace {

StageReport warmup_report() {
  StageReport report;
  report.stage = "warmup";
  report.seconds = 61;
  report.peak_host_bytes = 2048;
  report.results = {
      {"first_loss", 0.00049481}, {"last_loss", 0.8011}, {"steps", 4}, {"gamma", json::array()}};
  return report;
}

}  // namespace

TEST_CASE("the terminal shows first and last loss of each phase") {
  const std::vector<json> metrics = {{{"step", 0}, {"heldout", {{"text_loss", 2.0}}}},
                                     step_line(1, 0, 0.00049481),
                                     step_line(2, 0, 0.00032811),
                                     step_line(3, 1, 0.7998),
                                     step_line(4, 1, 0.8011)};
  CHECK(table_text(stage_table(warmup_report(), metrics)) ==
        "warmup\n"
        "what                      value\n"
        "-------------------  ----------\n"
        "time                 1 min 01 s\n"
        "peak host memory       2.00 KiB\n"
        "first_loss, phase 1   0.0004948\n"
        "first_loss, phase 2      0.7998\n"
        "last_loss, phase 1    0.0003281\n"
        "last_loss, phase 2       0.8011\n"
        "steps                         4\n");
}

TEST_CASE("a stage of one phase, or without metrics, shows its results as they are") {
  for (const auto& metrics :
       {std::vector<json>{}, std::vector<json>{step_line(1, 0, 0.5), step_line(2, 0, 0.25)}}) {
    const auto rows = table_json(stage_table(warmup_report(), metrics))["rows"];
    REQUIRE(rows.size() == 5);
    CHECK(rows[2]["what"] == "first_loss");
    CHECK(rows[3]["what"] == "last_loss");
    CHECK(rows[3]["value"] == 0.8011);
    CHECK(rows[4]["value"] == 4);
  }
}

TEST_CASE("texts and the paths of what was exported are shown") {
  StageReport report;
  report.stage = "export";
  report.results = {{"hf", {{"path", "runs/a/export/hf"}, {"bytes", 3}}}, {"method", "lora"}, {"n", nullptr}};
  const auto rows = table_json(stage_table(report, {}))["rows"];
  REQUIRE(rows.size() == 4);
  CHECK(rows[2]["value"] == "runs/a/export/hf");
  CHECK(rows[3]["value"] == "lora");
}
