#include "report/comparison_sections.h"

#include "report/fabricated_run.h"
#include "report/run_folder.h"

using namespace qslaw;
using nlohmann::json;

namespace {

std::string page_of(const ReportFolder& first, const ReportFolder& second) {
  write_comparison_report({first.path, second.path}, first.path / "c.html");
  const std::string page = first.read("c.html");
  CHECK(XmlCheck::fault(page) == "");
  return page;
}

void write_tuned(const ReportFolder& folder, const std::string& name, const std::vector<double>& seconds) {
  write_stage(folder, "tune", {{"method", "lora"}}, name);
  std::string lines;
  for (size_t i = 0; i < seconds.size(); ++i) {
    lines +=
        json{{"step", i + 1}, {"loss", 1.0}, {"step_s", seconds[i]}, {"tokens_per_second", 600 / seconds[i]}}
            .dump() +
        "\n";
  }
  folder.write("tune/metrics.jsonl", lines);
}

json speed(double prefill, double decode, int prompt) {
  return {{"speed",
           {{"prefill_tokens_per_second", prefill},
            {"decode_tokens_per_second", decode},
            {"measured_on", {{"prompt_tokens", prompt}}}}}};
}

}  // namespace

TEST_CASE("the page of several runs says where their recipes differ") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_run(second, 90, "run b");
  CHECK_FALSE(has(page_of(first, second), "What differs"));
  second.write("eval/recipe.yaml", "name: run b\nseed: 2\n");
  const std::string page = page_of(first, second);
  CHECK(has(page, "<section id=\"differences\">"));
  CHECK(has(page, "<span>seed</span></td><td>1</td><td>2</td>"));
}

TEST_CASE("a benchmark that one run has is no chart, and no empty row of the other") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_stage(second, "eval", {{"pope", {{"accuracy", 50.0}, {"n", 10}}}}, "run b");
  const std::string page = page_of(first, second);
  CHECK_FALSE(has(page, "accuracy by method and bits"));
  CHECK(has(page, "<th class=\"num\">ScienceQA accuracy</th><th class=\"num\">pope accuracy</th>"));
  const size_t details = page.find("ScienceQA in detail");
  REQUIRE(details != std::string::npos);
  const std::string table = page.substr(details, page.find("</table>", details) - details);
  CHECK(has(table, "<span>a</span>"));
  CHECK_FALSE(has(table, "<span>b</span>"));

  write_run(second, 90, "run b");
  CHECK(has(page_of(first, second), "ScienceQA accuracy by method and bits"));
}

TEST_CASE("a curve that one run has is named in its legend") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_stage(second, "eval", eval_results(50), "run b");
  const std::string page = page_of(first, second);
  CHECK_FALSE(has(page, "<span>at the end</span>"));
  CHECK(has(page, "<span>a</span><b>9</b>"));
}

TEST_CASE("held-out curves on other sets are called not comparable, each by its own set") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_run(second, 90, "run b");
  const auto write_recipe = [](const ReportFolder& folder, int limit, const std::string& pictures) {
    folder.write("tune/recipe.yaml",
                 "tune:\n  heldout:\n    text: {kind: text, path: t.txt, limit: " + std::to_string(limit) +
                     "}\n    pictures: " + pictures + "\n    every: " + std::to_string(limit + 1) + "\n");
  };
  write_recipe(first, 0, "{kind: llava, path: p.json}");
  write_recipe(second, 0, "{kind: llava, path: p.json}");
  CHECK_FALSE(has(page_of(first, second), "held-out sets"));
  write_recipe(second, 100, "{kind: llava, path: p.json}");
  const std::string page = page_of(first, second);
  CHECK(has(page, "Not comparable: other held-out sets, different limit (0; 100)."));
  CHECK(occurrences(page, "Not comparable: other held-out sets") == 1);
  write_recipe(second, 0, "{kind: llava, path: q.json}");
  CHECK(has(page_of(first, second), "Not comparable: other held-out sets, different path (p.json; q.json)."));
  // A recipe that is gone holds nothing to compare by.
  second.write("tune/recipe.yaml", "name: run b\n");
  CHECK_FALSE(has(page_of(first, second), "held-out sets"));
}

TEST_CASE("time, memory and speed stand side by side, steps by their median") {
  const ReportFolder first, second;
  write_stage(first, "quantize", quantize_results(), "run a");
  CHECK(speed_table(load_runs({first.path})).rows.empty());
  write_tuned(first, "run a", {9.0, 0.25, 0.5, 0.25, 0.5});  // the first step waits
  write_tuned(second, "run b", {1.0, 1.0, 2.0});
  write_stage(first, "eval", speed(900, 61.25, 256), "run a");
  write_stage(second, "eval", speed(450, 30, 256), "run b");
  const auto rows = table_json(speed_table(load_runs({first.path, second.path})))["rows"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["run"] == "run a");
  CHECK(rows[0]["device"] == "cpu");
  CHECK(rows[0]["Tune time"] == 61.0);
  CHECK(rows[0]["Tune peak memory"] == 1 << 30);
  CHECK(rows[0]["Tune s per step"] == 0.5);
  CHECK(rows[0]["Tune tokens/s"] == 1200.0);
  CHECK(rows[0]["Speed: decode tokens/s"] == 61.25);
  CHECK(rows[0]["Warm-up time"].is_null());
  CHECK(rows[1]["Tune s per step"] == 1.0);
  CHECK(rows[1]["Speed: prefill tokens/s"] == 450.0);
  CHECK(has(page_of(first, second), "Speed: decode tokens/<wbr/>s"));

  write_stage(second, "eval", speed(450, 30, 128), "run b");
  CHECK(has(page_of(first, second), "Speed: decode tokens/<wbr/>s (not comparable)"));
}
