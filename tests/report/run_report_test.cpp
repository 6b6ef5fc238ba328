#include "report/run_report.h"

#include <cmath>

#include "report/markup.h"
#include "report/metrics.h"
#include "report/number_text.h"
#include "report/report_files.h"
#include "report/run_folder.h"
#include "report/samples.h"
#include "report/xml_check.h"

using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kPng = "\x89PNG\r\n\x1A\n not much of a picture";

void write_stage(const ReportFolder& folder, const std::string& stage, const json& results,
                 const std::string& name = "digits_w4") {
  StageReport report = new_stage_report(stage, name);
  report.device = "cpu";
  report.seconds = 61;
  report.peak_host_bytes = 1 << 30;
  report.memory = {1 << 28, 1 << 27, 1 << 26, 1 << 25};
  report.results = results;
  report.files = {{"a.safetensors", std::string(64, 'b')}};
  folder.write(stage + "/recipe.yaml", "name: digits_w4  # <b>\nseed: 1\n");
  write_stage_report(folder.path / stage, report);
}

json quantize_results() {
  json layers = json::array();
  for (const char* layer : {"0", "1"}) {
    for (const char* kind : {"self_attn.q_proj", "mlp.down_proj"}) {
      layers.push_back(
          {{"name", std::string("model.layers.") + layer + "." + kind}, {"relative_error", 0.1}});
    }
  }
  return {{"method", "omniquant"},
          {"bits", 4},
          {"group_size", 128},
          {"packed_bytes", 1000},
          {"dense_bytes", 3840},
          {"layers", layers},
          {"blocks", {{{"layer", 0}, {"loss_before", 2e-5}, {"loss_after", 1e-5}}}}};
}

json warmup_results() {
  const json histogram = {{"low", 0.9}, {"high", 1.1}, {"counts", {1, 5, 1}}};
  const json layer = {{"layer", 1},  {"min", 0.9}, {"p05", 0.95}, {"median", 1},
                      {"p95", 1.05}, {"max", 1.1}, {"mean", 1},   {"histogram", histogram}};
  return {{"steps", 3},
          {"heldout", {{"before", {{"text_perplexity", 9.0}}}, {"after", {{"text_perplexity", 7.5}}}}},
          {"gamma", {layer}},
          {"codes_changed_share", 0.08}};
}

json eval_results(double accuracy) {
  return {{"scienceqa", {{"accuracy", accuracy}, {"n", 4241}, {"NAT", 90.0}, {"G7-12", 88.0}}},
          {"speed", {{"decode_tokens_per_second", 61.2}}}};
}

void write_metrics(const ReportFolder& folder, const std::string& stage) {
  std::filesystem::create_directories(folder.path / stage);
  MetricsWriter writer(folder.path / stage / "metrics.jsonl", 0);
  for (int64_t step = 1; step <= 100; ++step) {
    writer.write({{"step", step},
                  {"phase", step / 60},
                  {"loss", 1.0},
                  {"loss_picture", step == 7 ? std::nan("") : 1.0},
                  {"loss_text", 2.0},
                  {"lr", {{"gamma", 1e-3}}},
                  {"grad_norm", 0.5}});
    if (step % 10 == 0)
      writer.write({{"step", step}, {"heldout", {{"text_perplexity", 9.0}, {"picture_loss", 0.5}}}});
  }
}

void write_run(const ReportFolder& folder, double accuracy = 91.04, const std::string& name = "digits_w4") {
  write_stage(folder, "quantize", quantize_results(), name);
  write_stage(folder, "warmup", warmup_results(), name);
  write_metrics(folder, "warmup");
  write_stage(folder, "tune", {{"method", "lora"}, {"steps", 100}, {"trainable_parameters", 1234}}, name);
  write_metrics(folder, "tune");
  write_stage(folder, "eval", eval_results(accuracy), name);
}

std::string report_of(const ReportFolder& folder) {
  write_run_report(folder.path, folder.path / "report.html");
  const std::string page = folder.read("report.html");
  CHECK(XmlCheck::fault(page) == "");
  return page;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

json prediction(int id, bool correct, const std::string& picture) {
  return {{"id", id},
          {"question", "<image>\nWhich <one>?"},
          {"prompt", "A chat. USER: <image>\nWhich <one>? ASSISTANT:"},
          {"text", "The answer is B."},
          {"parsed", "B"},
          {"correct", correct},
          {"answer", correct ? "B" : "C"},
          {"picture", picture}};
}

void write_predictions(const ReportFolder& folder, int right, int wrong) {
  std::string lines;
  for (int i = 0; i < right + wrong; ++i)
    lines += prediction(i, i < right, "pictures/p.png").dump() + "\n";
  folder.write("eval/predictions/scienceqa.jsonl", lines);
  folder.write("pictures/p.png", kPng);
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

TEST_CASE("a stopped stage is shown by its metrics") {
  const ReportFolder folder;
  write_metrics(folder, "tune");
  const std::string page = report_of(folder);
  CHECK(has(page, "stopped before its end"));
  CHECK(has(page, "Training loss"));
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

TEST_CASE("samples are at most twelve, half of them wrong where there are enough") {
  const auto counts = [](int right, int wrong) {
    const ReportFolder folder;
    write_stage(folder, "eval", eval_results(50));
    write_predictions(folder, right, wrong);
    const auto samples = choose_samples(load_run(folder.path), 12);
    const auto good = std::count_if(samples.begin(), samples.end(), [](const auto& s) { return s.correct; });
    return std::make_pair(static_cast<int>(good), static_cast<int>(samples.size()) - static_cast<int>(good));
  };
  CHECK(counts(50, 50) == std::make_pair(6, 6));
  CHECK(counts(50, 2) == std::make_pair(10, 2));
  CHECK(counts(1, 50) == std::make_pair(1, 11));
  CHECK(counts(2, 1) == std::make_pair(2, 1));
  CHECK(counts(0, 0) == std::make_pair(0, 0));
}

TEST_CASE("a sample carries question, answers and picture") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  write_predictions(folder, 0, 1);
  const auto samples = choose_samples(load_run(folder.path), 12);
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].question == "Which <one>?");
  CHECK_FALSE(has(report_of(folder), "ASSISTANT:"));
  CHECK(samples[0].parsed == "B");
  CHECK(samples[0].answer == "C");
  CHECK(samples[0].data_uri == "data:image/png;base64," + base64(kPng));
}

TEST_CASE("a sample of an older file has its prompt for a question") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  json line = prediction(1, true, "p.png");
  line.erase("question");
  folder.write("eval/predictions/x.jsonl", line.dump() + "\n");
  folder.write("p.png", kPng);
  const auto samples = choose_samples(load_run(folder.path), 12);
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].question == "A chat. USER: \nWhich <one>? ASSISTANT:");
}

TEST_CASE("only pictures are embedded") {
  const ReportFolder folder;
  folder.write("secret.png", "root:x:0:0");
  folder.write("large.jpg", "\xFF\xD8\xFF" + std::string(2 << 20, 'x'));
  folder.write("small.jpg", "\xFF\xD8\xFFjpeg");
  CHECK(picture_data_uri(folder.path / "secret.png") == "");
  CHECK(picture_data_uri(folder.path / "large.jpg") == "");
  CHECK(picture_data_uri(folder.path / "absent.jpg") == "");
  CHECK(picture_data_uri(folder.path) == "");
  CHECK(picture_data_uri(folder.path / "small.jpg") == "data:image/jpeg;base64,/9j/anBlZw==");
}

TEST_CASE("predictions without pictures and broken lines are passed over") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  folder.write("eval/predictions/loss.jsonl", "{\"id\":1,\"tokens\":3,\"nll\":2.5}\n{\"id\":\n[]\n");
  CHECK(choose_samples(load_run(folder.path), 12).empty());
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

TEST_CASE("runs of one name are told apart by their folders, also the same folder twice") {
  const ReportFolder first, second;
  write_run(first);
  write_run(second);
  const auto runs = load_runs({first.path, second.path});
  CHECK(runs[0].name == "digits_w4 (" + first.path.filename().string() + ")");
  CHECK(runs[0].name != runs[1].name);
  write_comparison_report({first.path, first.path}, first.path / "c.html");
  CHECK(XmlCheck::fault(first.read("c.html")) == "");
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

  // Older reports say at least how much was measured.
  write_stage(second, "eval", {{"text_perplexity", {{"perplexity", 7.0}, {"tokens", 320}}}}, "run b");
  CHECK(has(page(), "Not comparable: measured with different tokens (640; 320)."));
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

TEST_CASE("answers and lines of predictions that are missing are counted on the page") {
  const ReportFolder folder;
  write_stage(folder, "eval", {{"scienceqa", {{"accuracy", 50.0}, {"n", 5000}, {"missing", 1234}}}});
  CHECK(has(report_of(folder),
            "Warning: scienceqa: 1,234 of 5,000 questions have no answer and count as wrong."));
  write_stage(folder, "eval", {{"scienceqa", {{"accuracy", 50.0}, {"n", 5}, {"missing", 0}}}});
  write_predictions(folder, 2, 1);
  CHECK(has(report_of(folder), "scienceqa.jsonl has 3 lines for 5 samples"));
  write_predictions(folder, 3, 2);
  CHECK_FALSE(has(report_of(folder), "Warning"));
}
