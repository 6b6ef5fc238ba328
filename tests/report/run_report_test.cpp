#include "report/run_report.h"

#include "report/fabricated_run.h"
#include "report/markup.h"
#include "report/run_folder.h"

using namespace qslaw;
using nlohmann::json;

namespace {

std::string fact(const std::string& name, const std::string& value) {
  return "<dt>" + name + "</dt><dd>" + value + "</dd>";
}

}  // namespace

TEST_CASE("a whole run's page has every section and is well-formed") {
  const ReportFolder folder;
  write_run(folder);
  write_predictions(folder, 20, 20);
  const std::string page = report_of(folder);
  for (const char* id :
       {"accuracy", "samples", "warmup", "gamma", "tune", "memory", "quantization", "recipe", "versions"}) {
    CHECK(has(page, std::string("<section id=\"") + id + "\">"));
  }
  CHECK(has(page, "91.04 %"));
  CHECK(has(page, "omniquant + QSLAW warm-up"));
  CHECK(has(page, "1 step had a loss that is not finite"));
  CHECK(has(page, "# &lt;b&gt;"));
  CHECK(has(page, "Loss by phase"));
  // On the CPU, without a peak of a device.
  CHECK(has(page, ">peak on host<"));
  CHECK_FALSE(has(page, ">peak on device<"));
  CHECK_FALSE(has(page, "<tbody></tbody>"));
}

TEST_CASE("what clipping gained is a share of the error, also where there is no gain") {
  const ReportFolder folder;
  json results = quantize_results();
  results["blocks"] = {{{"layer", 0}, {"loss_before", 2e-5}, {"loss_after", 1.5e-5}},
                       {{"layer", 1}, {"loss_before", 0.5}, {"loss_after", 0.5}},
                       {{"layer", 2}, {"loss_before", 0.25}, {"loss_after", 0.375}},
                       {{"layer", 3}, {"loss_before", 0.0}, {"loss_after", 0.0}}};
  write_stage(folder, "quantize", results);
  const std::string page = report_of(folder);
  CHECK(has(page, "<title>less error, 0: 25</title>"));
  CHECK(has(page, "<title>less error, 1: 0</title>"));
  CHECK(has(page, "<title>less error, 2: -50</title>"));
  CHECK_FALSE(has(page, "<title>less error, 3:"));
  CHECK(has(page, "all blocks together: 0.75 before learning, 0.875 after"));
  results["blocks"] = json::array();
  write_stage(folder, "quantize", results);
  CHECK_FALSE(has(report_of(folder), "What learning the clipping gained"));
}

TEST_CASE("gamma's 1 is called what it is wherever the warm-up began") {
  const ReportFolder folder;
  write_stage(folder, "warmup", warmup_results());
  const std::string page = report_of(folder);
  CHECK(has(page, ">as quantized</text>"));
  CHECK_FALSE(has(page, ">start</text>"));
}

TEST_CASE("speed is drawn from zero, the distance from which is what counts") {
  const ReportFolder folder;
  std::string lines;
  for (int step = 1; step <= 10; ++step)
    lines += json{{"step", step}, {"loss", 1.0}, {"tokens_per_second", 5000 + step}}.dump() + "\n";
  folder.write("tune/metrics.jsonl", lines);
  const std::string page = report_of(folder), label = "aria-label=\"Tokens per second over steps\"";
  const std::string chart = page.substr(page.find(label), page.rfind("</svg>") - page.find(label));
  CHECK(has(chart, "text-anchor=\"end\">0</text>"));
  CHECK(has(chart, "text-anchor=\"end\">4,000</text>"));
}

TEST_CASE("the peak of a device that was not there is no fact") {
  const ReportFolder folder;
  write_stage(folder, "eval", {{"speed", {{"peak_device_bytes", 0}, {"peak_host_bytes", 2048}}}});
  const std::string page = report_of(folder);
  CHECK(has(page, "<dt>peak host memory</dt><dd>2.00 KiB</dd>"));
  CHECK_FALSE(has(page, "peak device memory"));
  write_stage(folder, "eval", {{"speed", {{"peak_device_bytes", 1024}, {"peak_host_bytes", 2048}}}});
  CHECK(has(report_of(folder), "<dt>peak device memory</dt><dd>1.00 KiB</dd>"));
}

TEST_CASE("the page loads nothing and runs nothing") {
  const ReportFolder folder;
  write_run(folder);
  write_predictions(folder, 1, 1);
  const std::string page = report_of(folder);
  CHECK_FALSE(has(page, "<script"));
  CHECK_FALSE(has(page, "@import"));
  CHECK_FALSE(has(page, "url("));
  CHECK(has(page, "default-src 'none'"));
  // The only addresses are the names of XML's namespaces, which are never fetched.
  CHECK(occurrences(page, "http") ==
        occurrences(page, "xmlns=\"http://www.w3.org/") + occurrences(page, "http-equiv"));
  CHECK(occurrences(page, "src=\"") == occurrences(page, "src=\"data:image/png;base64,"));
}

TEST_CASE("stages that left nothing are left out") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  const std::string page = report_of(folder);
  CHECK(has(page, "not quantized"));
  for (const char* id : {"samples", "warmup", "gamma", "tune", "quantization"}) {
    CHECK_FALSE(has(page, std::string("<section id=\"") + id + "\">"));
  }
}

TEST_CASE("empty results, and results of unexpected kinds, still make a page") {
  const ReportFolder folder;
  for (const char* stage : {"quantize", "warmup", "tune", "eval", "export"})
    write_stage(folder, stage, json::object());
  report_of(folder);
  write_stage(folder, "quantize",
              {{"method", 7},
               {"bits", "many"},
               {"group_size", 1e300},
               {"packed_bytes", 1e300},
               {"dense_bytes", -1},
               {"layers",
                {1,
                 "x",
                 {{"name", "lm_head"}},
                 {{"name", "layers.99999999999999999999.q"}, {"relative_error", nullptr}}}},
               {"blocks", {{{"layer", nullptr}}, 3}}});
  write_stage(
      folder, "warmup",
      {{"gamma",
        {1, {{"layer", 0}, {"min", nullptr}, {"histogram", {{"counts", {"a"}}, {"low", 1}, {"high", 1}}}}}},
       {"heldout", "none"},
       {"steps", 1e300}});
  write_stage(folder, "eval",
              {{"scienceqa", {{"accuracy", 1e300}, {"n", -3}, {"NAT", nullptr}}},
               {"loss", 3},
               {"odd", {{"f1", nullptr}}}});
  report_of(folder);
}

TEST_CASE("names and texts from outside cannot become markup") {
  const ReportFolder folder;
  const std::string evil = "<script>alert(1)</script>\"'&\xFF\x01";
  const std::string repaired = repair_text(evil);
  json results = quantize_results();
  results["method"] = evil;
  results["layers"][0]["name"] = "model.layers.0." + evil;
  write_stage(folder, "quantize", json::parse(results.dump(-1, ' ', false, json::error_handler_t::replace)),
              evil);
  write_stage(folder, "eval", {{repaired, {{"accuracy", 1.0}, {repaired, 2.0}}}}, evil);
  json line = prediction(1, true, "p.png");
  for (const char* key : {"id", "question", "prompt", "text", "parsed", "answer"})
    line[key] = repaired;
  folder.write(
      "eval/predictions/"
      "x.jsonl",
      line.dump() + "\n");
  folder.write("p.png", kPng);
  folder.write("eval/recipe.yaml", evil + ": " + evil + "\n");
  const std::string page = report_of(folder);
  CHECK_FALSE(has(page, "<script"));
  CHECK(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST_CASE("a folder without any stage is the user's error") {
  const ReportFolder folder;
  CHECK(has(refusal_of([&] { write_run_report(folder.path, folder.path / "r.html"); }), "got none in"));
  CHECK(has(refusal_of([&] { write_run_report(folder.path / "absent", folder.path / "r.html"); }), "absent"));
  CHECK_FALSE(refusal_of([&] { write_comparison_report({}, folder.path / "r.html"); }).empty());
}

// SciPy 1.x: binomtest(k, n).proportion_ci(0.95, method="wilson").
TEST_CASE("accuracy intervals are Wilson's") {
  const auto check = [](double percent, int64_t count, double low, double high) {
    const auto interval = accuracy_interval(percent, count);
    // Two ways of evaluating one formula in double precision.
    CHECK(interval.first == Approx(low).margin(1e-9));
    CHECK(interval.second == Approx(high).margin(1e-9));
  };
  check(100.0 * 3861 / 4241, 4241, 90.14271377721644, 91.86270465287717);
  check(0, 10, 0, 27.753279986288927);
  check(100, 10, 72.24672001371108, 100);
  check(100.0 / 3, 3, 6.1491944720396265, 79.23403991979524);
}

TEST_CASE("an interval that a result has of its own is shown, and MME's score of up to 2000") {
  const ReportFolder first, second;
  const json results = {
      {"mme",
       {{"perception", 1325.5}, {"perception_low", 1250.25}, {"perception_high", 1400.0}, {"n", 2374}}},
      {"pope", {{"accuracy", 50.0}, {"accuracy_low", nullptr}, {"accuracy_high", nullptr}, {"n", 100}}},
      {"vizwiz", {{"accuracy", 50.0}, {"accuracy_low", 31.5}, {"accuracy_high", 77.5}, {"n", 100}}}};
  write_stage(first, "eval", results, "run a");
  write_stage(second, "eval", results, "run b");
  const auto scores = benchmark_scores(load_run(first.path));
  REQUIRE(scores.size() == 3);
  CHECK_FALSE(scores[0].interval);
  CHECK(scores[1].interval == std::pair(31.5, 77.5));
  CHECK(scores[2].metric == "perception");
  CHECK(scores[2].interval == std::pair(1250.25, 1400.0));
  const std::string page = report_of(first);
  CHECK(has(page, "95 % interval 31.5 to 77.5"));
  CHECK_FALSE(has(page, "95 % interval 40."));  // Wilson's
  CHECK(has(page, "mme perception"));
  write_comparison_report({first.path, second.path}, first.path / "c.html");
  CHECK(XmlCheck::fault(first.read("c.html")) == "");
  CHECK(has(first.read("c.html"), "mme perception by method and bits"));
}

TEST_CASE("the ends of an interval are one row behind their metric, in its unit") {
  const ReportFolder folder;
  const json vizwiz = {{"accuracy", 50.0}, {"accuracy_low", 31.5}, {"accuracy_high", 77.456}, {"n", 100}};
  const json perplexity = {{"perplexity", 7.0}, {"perplexity_low", 6.5}, {"perplexity_high", 7.5}};
  const json single = {{"f1", 40.5}, {"f1_low", nullptr}, {"f1_high", nullptr}};
  const json lone = {{"score", 3.0}, {"pass_low", 2.0}};  // no end of anything's
  write_stage(folder, "eval",
              {{"vizwiz", vizwiz}, {"text_perplexity", perplexity}, {"pope", single}, {"own", lone}});
  const std::string page = report_of(folder);
  CHECK(XmlCheck::fault(page) == "");
  const std::string between = "</div><div>";
  CHECK(has(page, fact("accuracy", "50.00 %") + between +
                      fact("accuracy, 95 % interval", "31.50 to 77.46 %") + between +
                      fact("samples", "100")));
  CHECK(has(page, fact("perplexity, 95 % interval", "6.500 to 7.500")));
  CHECK(has(page, fact("f1, 95 % interval", "n/a")));
  CHECK(has(page, fact("pass low", "2")));
  CHECK_FALSE(has(page, "accuracy low"));
  CHECK_FALSE(has(page, "accuracy high"));
}

// What lib/eval/answer_summaries.cpp writes: percentages but for the counts, and the points of MME.
TEST_CASE("parts of an accuracy are percentages, counts and MME's points are not") {
  const ReportFolder folder;
  const json pope = {{"accuracy", 81.5}, {"n", 90},          {"unparsed", 1},
                     {"missing", 2},     {"f1", 40.5},       {"adversarial_recall", 62.25},
                     {"f1_low", 30.5},   {"f1_high", 50.25}, {"adversarial_yes_ratio", 48}};
  const json units = {{"accuracy", 60.0}, {"question_accuracy", 70.0}, {"units", 7}, {"binary", nullptr}};
  const json own = {{"accuracy", nullptr}, {"skipped", 3}, {"binary", 55.0}};
  const json mme = {
      {"perception", 1325.5}, {"color", 170.0}, {"color_accuracy", 90.0}, {"color_accuracy_plus", 80.0}};
  write_stage(folder, "eval", {{"pope", pope}, {"mmbench", units}, {"gqa", own}, {"mme", mme}});
  const std::string page = report_of(folder);
  const auto shows = [&](const std::string& name, const std::string& value) {
    return has(page, fact(name, value));
  };
  CHECK(shows("f1", "40.50 %"));
  CHECK(shows("f1, 95 % interval", "30.50 to 50.25 %"));
  CHECK(shows("adversarial recall", "62.25 %"));
  CHECK(shows("adversarial yes ratio", "48.00 %"));
  CHECK(shows("question accuracy", "70.00 %"));
  CHECK(shows("binary", "n/a"));
  CHECK(shows("binary", "55.00 %"));
  CHECK(shows("samples", "90"));
  CHECK(shows("unparsed", "1"));
  CHECK(shows("missing", "2"));
  CHECK(shows("units", "7"));
  CHECK(shows("skipped", "3"));
  CHECK(shows("perception", "1,326"));
  CHECK(shows("color", "170"));
  CHECK(shows("color accuracy", "90.00 %"));
  CHECK(shows("color accuracy plus", "80.00 %"));
}

TEST_CASE("a result of another model is not shown as this run's") {
  const ReportFolder folder;
  write_stage(folder, "tune", {{"method", "lora"}, {"steps", 3}});
  write_stage(folder, "eval", {{"scienceqa", {{"accuracy", 91.04}, {"n", 100}}}});
  folder.write("eval/inputs.txt", "seed 1\nadapter.safetensors " + std::string(64, 'b') + "\n");
  CHECK(has(report_of(folder), "91.04"));
  CHECK_FALSE(has(report_of(folder), "Left out"));
  folder.write("eval/inputs.txt", "seed 1\nadapter.safetensors " + std::string(64, 'a') + "\n");
  const std::string page = report_of(folder);
  CHECK(XmlCheck::fault(page) == "");
  CHECK_FALSE(has(page, "91.04"));
  CHECK(has(page, "made without the tune/ that lies beside it, and left out of the page"));
}
