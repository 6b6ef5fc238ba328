// What a stage depends on, and what happens when that has changed or is gone.
#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// Gives a sample's picture another name; returns the new file.
fs::path move_picture(const TinyExperiment& experiment, size_t index, const std::string& folder) {
  json samples = json_file(experiment.data("train.json"));
  const std::string name = samples.at(index).at("image");
  const fs::path moved = experiment.data("pictures") / folder / name;
  fs::create_directories(moved.parent_path());
  fs::copy_file(experiment.data("pictures") / name, moved);
  samples[index]["image"] = folder + "/" + name;
  write_text(experiment.data("train.json"), samples.dump());
  return moved;
}

}  // namespace

TEST_CASE("a picture in a folder of folders is an input, what the data does not name is none") {
  const TinyExperiment experiment;
  const fs::path picture = move_picture(experiment, 3, "coco/train");
  experiment.write_recipe(kTune);
  require_success(experiment.run("tune"));
  const fs::path report = experiment.output() / "tune" / "report.json";
  const auto done = fs::last_write_time(report);
  for (const char* name : {"other.png", "coco/other.png", "coco/train/other.png"})
    write_text(experiment.data("pictures") / name, "no picture");
  require_success(experiment.run("tune"));
  CHECK(fs::last_write_time(report) == done);
  touch(picture);
  const ProgramResult again = experiment.run("tune");
  require_success(again);
  CHECK(fs::last_write_time(report) > done);
  CHECK_THAT(again.err, Catch::Contains("the changed file " + picture.string()));
}

TEST_CASE("one stage alone looks for all of its files before it begins") {
  const TinyExperiment experiment;
  experiment.write_recipe(
      "eval:\n  benchmarks:\n    - {kind: text_perplexity, path: data/text_heldout.txt, context: 32}\n"
      "    - {kind: loss, path: data/heldout.json, images: data/pictures}\n");
  fs::remove(experiment.data("heldout.json"));
  require_user_error(experiment.run("eval"),
                     {experiment.data("heldout.json").string(), "key eval.benchmarks.1.path"});
  CHECK_FALSE(fs::exists(experiment.output()));
}
