// With --all-samples a dry run reads every sample and decodes every picture that the run will read.
#include <algorithm>

#include "dry_run.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const Words kAll = {"--all-samples"};

fs::path picture_of(const TinyExperiment& experiment, const std::string& file, size_t index) {
  return experiment.data("pictures") /
         json_file(experiment.data(file)).at(index).at("image").get<std::string>();
}

// Passes for sound until everything is looked at.
void require_found(const TinyExperiment& experiment, const std::string& command, const Words& parts) {
  require_success(dry_run(experiment, command));
  require_user_error(dry_run(experiment, command, kAll), parts);
  CHECK_FALSE(fs::exists(experiment.output()));
}

// What the log lines say of pictures, in their order.
std::vector<std::string> picture_warnings(const TinyExperiment& experiment, const std::string& threads,
                                          const Words& more) {
  Words words = {
      "tune",         experiment.recipe().string(), "--device", "cpu", "--threads", threads, "--dry-run",
      "--all-samples"};
  words.insert(words.end(), more.begin(), more.end());
  std::istringstream err(run_program(words).err);
  std::vector<std::string> said;
  for (std::string line; std::getline(err, line);) {
    const bool of_picture = line.find("cut short or damaged") != std::string::npos;
    const size_t at = of_picture ? line.find('[') : line.find("... and ");
    if (at != std::string::npos && line.find("error: ") == std::string::npos) said.push_back(line.substr(at));
  }
  return said;
}

}  // namespace

TEST_CASE("flag --all-samples finds cut pictures of the training data") {
  const TinyExperiment experiment;
  const fs::path png = picture_of(experiment, "train.json", 7),
                 jpeg = experiment.data("pictures") / "cut.jpg";
  cut_picture(png);
  fs::copy_file(fs::path(QSLAW_FIXTURES) / "images" / "photo_420.jpg", jpeg);
  cut_picture(jpeg);
  json samples = json_file(experiment.data("train.json"));
  samples.at(9)["image"] = "cut.jpg";
  write_text(experiment.data("train.json"), samples.dump());
  experiment.write_recipe(kTune);
  // All 24 samples are drawn, each twice.
  require_found(
      experiment, "tune",
      {"[tune] expected sound samples, got 2 bad among 24 checked", png.string(), samples[7].at("id")});
  const Words said = picture_warnings(experiment, "1", {});
  REQUIRE(said.size() == 2);
  CHECK_THAT(said[0], Catch::Contains(png.string()));
  CHECK_THAT(said[1], Catch::Contains(jpeg.string()));

  // Skipped, they are named once.
  const Words skip = {"--set", "tune.data.on_bad_sample=skip"};
  CHECK(picture_warnings(experiment, "1", skip) == said);
  require_success(dry_run(experiment, "tune", {"--all-samples", skip[0], skip[1]}));
}

TEST_CASE("flag --all-samples says the same with any number of threads, the first twenty problems") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  std::vector<std::string> expected;
  for (size_t i = 0; i < 23; ++i) {
    const fs::path picture = picture_of(experiment, "train.json", i);
    cut_picture(picture);
    expected.push_back(picture.string());
  }
  const Words one = picture_warnings(experiment, "1", {});
  REQUIRE(one.size() == 21);
  for (size_t i = 0; i < 20; ++i)
    CHECK_THAT(one[i], Catch::Contains(expected[i]));
  CHECK(one[20] == "... and 3 more");
  for (const std::string threads : {"2", "5"})
    CHECK(picture_warnings(experiment, threads, {}) == one);
}

TEST_CASE("flag --all-samples looks beyond every second sample") {
  const TinyExperiment experiment;
  // Of 1100 held-out samples, and of 20,200 of a benchmark, a dry run looks at those with even numbers.
  const json sample = json_file(experiment.data("heldout.json")).at(0);
  json many = json::array();
  const auto write_samples = [&](int count) {
    for (int i = 0; i < count; ++i) {
      many.push_back(sample);
      many.back()["id"] = "sample-" + std::to_string(i);
    }
    many.at(601)["conversations"].push_back({{"from", "gpt"}, {"value", "twice"}});
    write_text(experiment.data("heldout.json"), many.dump());
  };
  SECTION("of a held-out set") {
    write_samples(1100);
    experiment.write_recipe(kTune + "  heldout: {pictures: {kind: llava, " + kHeldout +
                            ", max_length: 64}}\n");
    require_found(experiment, "tune", {"1 bad among 1100", "sample-601"});
  }
  SECTION("of a loss") {
    write_samples(20200);
    experiment.write_recipe(benchmark("kind: loss, " + kHeldout));
    require_found(experiment, "eval", {"1 bad among 20200", "sample-601"});
  }
  SECTION("of an exact match, whose ids are told apart") {
    write_samples(20200);
    many.at(601) = sample;
    many.at(601)["id"] = "sample-17";
    write_text(experiment.data("heldout.json"), many.dump());
    experiment.write_recipe(benchmark("kind: exact_match, max_new_tokens: 3, " + kHeldout));
    require_found(experiment, "eval", {"1 bad among 20200", "sample 601", "got that of sample 17"});
  }
}

TEST_CASE("flag --all-samples decodes the pictures of problems and of calibration") {
  const TinyExperiment experiment;
  SECTION("ScienceQA") {
    const std::string id = json_file(experiment.data("splits.json")).at("test").at(0);
    const fs::path picture =
        experiment.data("pictures") /
        json_file(experiment.data("problems.json")).at(id).at("image").get<std::string>();
    cut_picture(picture);
    experiment.write_recipe(benchmark("kind: scienceqa, max_new_tokens: 3, " + kProblems));
    require_found(experiment, "eval", {picture.string(), id});
  }
  SECTION("calibration") {
    const fs::path picture = picture_of(experiment, "captions.json", 5);
    cut_picture(picture);
    experiment.write_recipe(
        "quantize:\n  method: omniquant\n  group_size: 32\n  calibration: {kind: llava, path: "
        "data/captions.json, images: data/pictures, samples: 16, length: 64}\n");
    require_found(experiment, "quantize", {"1 bad among 16", picture.string()});
  }
}

TEST_CASE("flag --all-samples means nothing without --dry-run") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  require_user_error(experiment.run("quantize", kAll), {"[command line]", "--all-samples", "--dry-run"});
  CHECK_FALSE(fs::exists(experiment.output()));
  require_success(dry_run(experiment, "run", kAll));
}

TEST_CASE("flag --check-share looks at every sample and the headers of pictures, or at some of them") {
  const TinyExperiment experiment;
  // Cut within its header, and behind it.
  const fs::path headless = picture_of(experiment, "train.json", 7);
  write_text(headless, file_bytes(headless).substr(0, 10));
  cut_picture(picture_of(experiment, "train.json", 9));
  json samples = json_file(experiment.data("train.json"));
  samples.at(23)["conversations"] = json::array();
  write_text(experiment.data("train.json"), samples.dump());
  experiment.write_recipe(kTune);
  require_user_error(dry_run(experiment, "tune", {"--check-share", "1"}),
                     {"[tune] expected sound samples, got 2 bad among 24 checked", headless.string()});
  // Every eighth: 0, 8 and 16.
  const ProgramResult few =
      dry_run(experiment, "tune", {"--check-share", "0.125", "--set", "tune.data.on_bad_sample=skip"});
  require_success(few);
  CHECK(few.err.find(headless.string()) == std::string::npos);
}

TEST_CASE("flag --check-share is a share, of a dry run, and not beside --all-samples") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  for (const std::string share : {"0", "1.5", "-1", "half", "nan", ""}) {
    INFO(share);
    require_user_error(experiment.run("quantize", {"--dry-run", "--check-share", share}),
                       {"[command line]", "expected a share above 0 and at most 1, got \"" + share + "\""});
  }
  require_user_error(experiment.run("quantize", {"--check-share", "1"}), {"[command line]", "--dry-run"});
  require_user_error(experiment.run("quantize", {"--dry-run", "--all-samples", "--check-share", "1"}),
                     {"[command line]", "--all-samples"});
}
