#include "report/run_report.h"

#include <tuple>

#include "report/comparison_sections.h"
#include "report/fabricated_run.h"
#include "report/run_folder.h"

using namespace qslaw;
using nlohmann::json;

TEST_CASE("bars are named by methods where these tell the runs apart, else by the runs") {
  const ReportFolder first, second, third;
  const auto label = [](const std::string& text) { return "\">" + text + "</text>"; };
  const auto page = [&](const std::string& method) {
    for (const auto& [folder, name, bits] :
         {std::tuple(&first, "run a", 4), std::tuple(&second, "run b", 4), std::tuple(&third, "run c", 2)}) {
      const bool other = folder == &second;
      write_stage(*folder, "quantize", {{"method", other ? method : "rtn"}, {"bits", bits}}, name);
      write_stage(*folder, "eval", {{"pope", {{"accuracy", 50.0}, {"n", 10}}}}, name);
    }
    write_comparison_report({first.path, second.path, third.path}, first.path / "c.html");
    return first.read("c.html");
  };
  // Two sizes; those of "rtn" stand in the groups of 4 and of 2 bits.
  CHECK(occurrences(page("nf4"), label("nf4")) == 2);
  CHECK(occurrences(page("nf4"), label("rtn")) == 4);
  CHECK(occurrences(page("rtn"), label("rtn")) == 0);
}

TEST_CASE("the page of several runs writes a number in one way") {
  const ReportFolder first, second;
  for (const auto& [folder, name] : {std::pair(&first, "run a"), std::pair(&second, "run b")})
    write_stage(*folder, "eval", {{"text_perplexity", {{"perplexity", 29990.744}, {"tokens", 64000}}}}, name);
  write_comparison_report({first.path, second.path}, first.path / "c.html");
  const std::string page = first.read("c.html");
  CHECK_FALSE(has(page, "29990"));
  CHECK(occurrences(page, "29,991") >= 4);  // two rows of the table, two bars in two sizes
  // No stage was tuned: no such column.
  CHECK_FALSE(has(page, ">tuning<"));
}

TEST_CASE("a comparison shows every run, short names and one page") {
  const ReportFolder first, second, third;
  write_run(first, 91.04, "digits_qslaw");
  write_run(second, 88.5, "digits_gptq");
  write_stage(third, "tune", {{"method", "lora"}}, "digits_lora");
  write_comparison_report({first.path, second.path, third.path}, first.path / "c.html");
  const std::string page = first.read("c.html");
  CHECK(XmlCheck::fault(page) == "");
  CHECK(has(page, "digits: 3 runs"));
  CHECK(has(page, "88.50"));
  CHECK(has(page, "<section id=\"curves\">"));
  CHECK_FALSE(has(page, "<script"));
}

TEST_CASE("the comparison's table has one row per run") {
  const ReportFolder first, second;
  write_run(first, 91.04, "a");
  write_stage(second, "tune", {{"method", "full"}}, "b");
  const Table table = comparison_table(load_runs({first.path, second.path}));
  const auto rows = table_json(table)["rows"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["run"] == "a");
  CHECK(rows[0]["bits"] == 4.0);
  CHECK(rows[0]["ScienceQA accuracy"] == 91.04);
  CHECK(rows[0]["time"] == 244.0);
  CHECK(rows[1]["bits"] == 16.0);
  CHECK(rows[1]["ScienceQA accuracy"].is_null());
  CHECK(rows[1]["packed"].is_null());
}

TEST_CASE("of several runs those that cannot be read are left out") {
  const ReportFolder sound, empty, malformed, endless;
  write_run(sound);
  malformed.write("eval/report.json", "{\"stage\": \"eval\"");
  std::filesystem::create_directory_symlink("quantize", endless.path / "quantize");
  const auto runs = load_runs({empty.path, sound.path, malformed.path, endless.path});
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].path == sound.path);
  write_comparison_report({empty.path, sound.path}, sound.path / "c.html");
  CHECK(XmlCheck::fault(sound.read("c.html")) == "");

  CHECK(has(refusal_of([&] { load_runs({malformed.path, empty.path}); }), "report.json"));
  CHECK(has(refusal_of([&] { load_runs({sound.path, sound.path / "absent"}); }), "absent"));
  // Alone, each is the user's error.
  for (const auto* folder : {&empty, &malformed, &endless})
    CHECK(has(refusal_of([&] { load_runs({folder->path}); }), folder->path.string()));
}

TEST_CASE("runs of one name are named by their folders, also the same folder twice") {
  const ReportFolder top;
  const auto names = [&](const std::vector<std::string>& folders) {
    std::vector<std::filesystem::path> paths;
    for (const std::string& folder : folders)
      paths.push_back(top.path / folder);
    std::vector<std::string> found;
    for (const RunFolder& run : load_runs(paths))
      found.push_back(run.name);
    return found;
  };
  using Names = std::vector<std::string>;
  for (const char* folder : {"a/w4", "a/w3", "b/w4", "c"}) {
    std::filesystem::create_directories(top.path / folder);
    const ReportFolder made;
    write_run(made);
    std::filesystem::copy(made.path, top.path / folder, std::filesystem::copy_options::recursive);
  }
  CHECK(names({"a/w4", "a/w3/", "c"}) == Names{"w4", "w3", "c"});
  CHECK(names({"a/w4", "a/w3", "b/w4"}) == Names{"a/w4", "w3", "b/w4"});
  CHECK(names({"a/w4", "b/../a/w4"}) == Names{"digits_w4", "digits_w4"});
  CHECK(names({"a/w4", "a/w4", "c"}) == Names{"w4", "w4", "c"});
  // A name that another run's folder has.
  const ReportFolder other;
  write_run(other, 90, "w3");
  const auto runs = load_runs({top.path / "a/w3", top.path / "c", other.path});
  CHECK(runs[0].name == "a/w3");
  CHECK(runs[1].name == "c");
  CHECK(has(runs[2].name, other.path.filename().string()));
  write_comparison_report({top.path / "c", top.path / "c"}, top.path / "c.html");
  CHECK(XmlCheck::fault(top.read("c.html")) == "");
}

TEST_CASE("numbers that were measured differently are marked, none of them is the best") {
  const ReportFolder first, second;
  const auto write_eval = [](const ReportFolder& folder, const std::string& name, double value,
                             json measured_on) {
    write_stage(folder, "eval",
                {{"scienceqa", {{"accuracy", 50 + value}, {"n", 100}, {"measured_on", measured_on}}},
                 {"text_perplexity", {{"perplexity", value}, {"tokens", 640}, {"measured_on", measured_on}}}},
                name);
  };
  const auto page = [&] {
    write_comparison_report({first.path, second.path}, first.path / "c.html");
    const std::string text = first.read("c.html");
    CHECK(XmlCheck::fault(text) == "");
    return text;
  };
  write_eval(first, "run a", 9, {{"data", "0a"}, {"limit", 0}, {"split", "test"}});
  write_eval(second, "run b", 7, {{"data", "0b"}, {"limit", 100}, {"split", "test"}});
  const std::string unlike = page();
  CHECK(has(unlike, "Text perplexity (not comparable)"));
  CHECK(has(unlike, "ScienceQA accuracy (not comparable)"));
  CHECK(has(unlike, "Not comparable: measured with different data, limit (0; 100)."));
  CHECK_FALSE(has(unlike, "Highest"));

  write_eval(second, "run b", 7, {{"data", "0a"}, {"limit", 0}, {"split", "test"}});
  const std::string alike = page();
  CHECK_FALSE(has(alike, "comparable"));
  CHECK(has(alike, "Highest ScienceQA accuracy"));

  write_eval(second, "run b", 7, {{"data", "0a"}, {"limit", 0}, {"split", "test"}, {"windows", "stream"}});
  write_eval(first, "run a", 9, {{"data", "0a"}, {"limit", 0}, {"split", "test"}, {"windows", "bos"}});
  CHECK(has(page(), "Not comparable: measured with different windows (bos; stream)."));

  // Older reports say at least how much was measured.
  write_stage(second, "eval", {{"text_perplexity", {{"perplexity", 7.0}, {"tokens", 320}}}}, "run b");
  CHECK(has(page(), "Not comparable: measured with different tokens (640; 320)."));
}

TEST_CASE("that lower is better is said of perplexity with intervals too, not of accuracy") {
  const ReportFolder first, second;
  const auto page = [&](const json& results) {
    write_stage(first, "eval", results, "run a");
    write_stage(second, "eval", results, "run b");
    write_comparison_report({first.path, second.path}, first.path / "c.html");
    return first.read("c.html");
  };
  json perplexity = {{"perplexity", 7.0}, {"tokens", 640}};
  CHECK(has(page({{"text_perplexity", perplexity}}), ">Lower is better.<"));
  perplexity.update({{"perplexity_low", 6.5}, {"perplexity_high", 7.5}});
  CHECK(has(page({{"text_perplexity", perplexity}}), ">Lower is better. Whiskers: 95 % intervals.<"));
  CHECK(has(page({{"pope", {{"accuracy", 50.0}, {"n", 10}}}}), ">Whiskers: 95 % intervals.<"));
}

TEST_CASE("equal scores are called equal") {
  const ReportFolder first, second, third;
  write_run(first, 91.04, "run a");
  write_run(second, 91.04, "run b");
  write_run(third, 90.0, "run c");
  write_comparison_report({first.path, second.path, third.path}, first.path / "c.html");
  CHECK(has(first.read("c.html"), "equal: a, b"));
  CHECK(has(first.read("c.html"), "equal: a, b, c"));  // memory
}

TEST_CASE("a run that did not end is marked, and has not the lowest peak") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_stage(second, "quantize", {{"method", "rtn"}, {"bits", 4}}, "run b");
  write_metrics(second, "tune");
  const auto runs = load_runs({first.path, second.path});
  const auto rows = table_json(comparison_table(runs))["rows"];
  CHECK(rows[0]["run"] == "run a");
  CHECK(rows[1]["run"] == "run b (tune unfinished)");
  const std::string cards = best_cards(runs).code;
  CHECK(has(cards, "Lowest peak memory"));
  CHECK_FALSE(has(cards, "run b"));
  CHECK_FALSE(has(best_cards({runs[1]}).code, "Lowest peak memory"));
}

TEST_CASE("a lowest peak is named among runs of the same stages only") {
  const ReportFolder first, second;
  write_run(first, 91, "run a");
  write_run(second, 90, "run b");
  CHECK(has(best_cards(load_runs({first.path, second.path})).code, "Lowest peak memory"));
  const ReportFolder measured;
  write_stage(measured, "eval", eval_results(50), "run c");
  const std::string cards = best_cards(load_runs({first.path, second.path, measured.path})).code;
  CHECK_FALSE(has(cards, "Lowest peak memory"));
  CHECK(has(cards, "Highest ScienceQA accuracy"));
}
