#include "report/samples.h"

#include <set>

#include "report/fabricated_run.h"
#include "report/markup.h"
#include "report/run_folder.h"

using namespace qslaw;
using nlohmann::json;

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

TEST_CASE("the samples' heading says whether they are right, wrong or both") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  write_predictions(folder, 2, 2);
  CHECK(has(report_of(folder), "Right and wrong answers in turn, spread"));
  write_predictions(folder, 0, 2);
  CHECK(has(report_of(folder), "Wrong answers alone, spread"));
  write_predictions(folder, 2, 0);
  CHECK(has(report_of(folder), "Right answers alone, spread"));
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

TEST_CASE("samples show different pictures where there are enough, spread over the whole test set") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  // Four questions on each of forty pictures, every second answered right; two benchmarks on the same ones.
  std::string lines;
  for (int i = 0; i < 160; ++i) {
    const std::string picture = "pictures/" + std::to_string(i / 4) + ".png";
    lines += prediction(i, i % 2 == 0, picture).dump() + "\n";
    folder.write(picture, kPng + std::to_string(i / 4));
  }
  folder.write("eval/predictions/a.jsonl", lines);
  folder.write("eval/predictions/b.jsonl", lines);
  const auto samples = choose_samples(load_run(folder.path), 12);
  REQUIRE(samples.size() == 12);
  std::set<std::string> pictures;
  int last = 0;
  for (const PictureSample& sample : samples) {
    pictures.insert(sample.data_uri);
    last = std::max(last, std::stoi(sample.id));
  }
  CHECK(pictures.size() == 12);
  CHECK(last >= 100);  // of a third of the right or wrong lines at their end
}

TEST_CASE("where a picture is gone the page says so, and others come first") {
  const ReportFolder folder;
  write_stage(folder, "eval", eval_results(50));
  write_predictions(folder, 1, 1);
  CHECK_FALSE(has(report_of(folder), "Picture not"));
  std::filesystem::remove(folder.path / "pictures/p.png");
  CHECK(occurrences(report_of(folder), "Picture not found") == 2);
  folder.write("pictures/p.png", "no picture");
  CHECK(occurrences(report_of(folder), "Picture not shown: over 1 MiB, or of another kind") == 2);

  folder.write("eval/predictions/scienceqa.jsonl", prediction(1, true, "absent.png").dump() + "\n" +
                                                       prediction(2, true, "present.png").dump() + "\n");
  folder.write("present.png", kPng);
  const auto samples = choose_samples(load_run(folder.path), 1);
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].id == "2");
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
