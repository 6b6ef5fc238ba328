// What the page of one run says of how its stages went.
#include "report/fabricated_run.h"

using namespace qslaw;
using nlohmann::json;

TEST_CASE("a stopped stage is shown by its metrics") {
  const ReportFolder folder;
  write_metrics(folder, "tune");
  const std::string page = report_of(folder);
  CHECK(has(page, "stopped before its end"));
  CHECK(has(page, "Training loss"));
}

TEST_CASE("the head of the page names no method that did not end") {
  const ReportFolder folder;
  write_stage(folder, "quantize", {{"method", "rtn"}, {"bits", 4}});
  write_metrics(folder, "warmup");
  // An evaluation has no metrics before its end.
  folder.write("eval/inputs.txt", "seed 1\n");
  const std::string page = report_of(folder);
  CHECK(has(page, "<li>rtn</li>"));
  CHECK_FALSE(has(page, "QSLAW warm-up"));
  CHECK(has(page, "<li>warmup unfinished</li><li>eval unfinished</li>"));
  CHECK(has(page, "finished stages together"));

  write_stage(folder, "warmup", warmup_results());
  write_stage(folder, "eval", eval_results(50));
  folder.write("eval/inputs.txt", std::string(64, 'b'));
  const std::string ended = report_of(folder);
  CHECK(has(ended, "<li>rtn + QSLAW warm-up</li>"));
  CHECK_FALSE(has(ended, "unfinished"));
}

TEST_CASE("samples that training skipped or cut are facts where there are any") {
  const ReportFolder folder;
  const json counts = {{"skipped_samples", 1234}, {"skipped_long_samples", 34}, {"cut_samples", 0}};
  write_stage(folder, "warmup", counts);
  write_stage(folder, "tune", {{"skipped_samples", 0}, {"skipped_long_samples", 0}, {"cut_samples", 5}});
  const std::string page = report_of(folder);
  CHECK(occurrences(page, "<dt>skipped samples</dt>") == 1);
  CHECK(has(page, "<dt>skipped samples</dt><dd>1,234</dd>"));
  CHECK(has(page, "<dt>skipped as too long</dt><dd>34</dd>"));
  CHECK(occurrences(page, "<dt>samples cut to the longest allowed</dt>") == 1);
  CHECK(has(page, "<dt>samples cut to the longest allowed</dt><dd>5</dd>"));
}
