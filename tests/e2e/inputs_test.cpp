// What a stage depends on, and what happens when that has changed or is gone.
#include <sys/inotify.h>
#include <unistd.h>

#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kSpeed = "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";

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

// Counts how often a file is opened, by whomever.
class OpenCounter {
 public:
  explicit OpenCounter(const fs::path& file) : queue_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    REQUIRE(::inotify_add_watch(queue_, file.c_str(), IN_OPEN | IN_CLOSE) >= 0);  // alone, opens are merged
  }
  ~OpenCounter() { ::close(queue_); }
  OpenCounter(const OpenCounter&) = delete;
  OpenCounter& operator=(const OpenCounter&) = delete;

  /// Since the last call.
  int count() const {
    int opened = 0;
    inotify_event event = {};  // of a watched file, which comes without a name
    while (::read(queue_, &event, sizeof(event)) == sizeof(event))
      opened += (event.mask & IN_OPEN) != 0;
    return opened;
  }

 private:
  int queue_;
};

// Without `file` both commands stop, the dry run too, and name it.
void require_missed(const TinyExperiment& experiment, const std::vector<std::string>& commands,
                    const fs::path& file) {
  const std::string bytes = file_bytes(file);
  const auto time = fs::last_write_time(file);
  fs::remove(file);
  INFO(file);
  for (const std::string& command : commands) {
    require_user_error(experiment.run(command, {"--dry-run"}), {file.string(), "got none"});
    require_user_error(experiment.run(command), {file.string(), "got none"});
  }
  write_text(file, bytes);
  fs::last_write_time(file, time);
}

}  // namespace

TEST_CASE("a finished stage's file that is gone stops what would build on something else") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kWarmup + kTune + kSpeed);
  for (const char* stage : {"quantize", "warmup", "tune"})
    require_success(experiment.run(stage));
  const fs::path out = experiment.output();
  for (const char* file : {"warmup/language.safetensors", "warmup/projector.safetensors",
                           "warmup/gamma.safetensors", "quantize/language.safetensors"})
    require_missed(experiment, {"tune", "run"}, out / file);
  for (const char* file : {"tune/adapter.safetensors", "tune/projector.safetensors"})
    require_missed(experiment, {"eval", "run"}, out / file);

  experiment.write_recipe(kSpeed,
                          "{path: model, random_weights: true, dtype: float32, stages: [out/warmup]}");
  const std::vector<std::string> other = {"--out", (experiment.path() / "other").string()};
  require_success(experiment.run("eval", other));
  require_missed(experiment, {"eval", "run"}, out / "warmup" / "language.safetensors");

  // It says what to do, and that works.
  experiment.write_recipe(kQuantize + kWarmup);
  fs::remove(out / "warmup" / "language.safetensors");
  require_user_error(experiment.run("run"), {"[warmup]", "`qslaw warmup` and --restart"});
  require_success(experiment.run("warmup", {"--restart"}));
  require_success(experiment.run("run"));
}

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
  require_success(experiment.run("tune"));
  CHECK(fs::last_write_time(report) == done);
  change(picture);
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

TEST_CASE("one stage alone looks at its data before it begins") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  json samples = json_file(experiment.data("train.json"));
  samples.at(7)["image"] = "lost.png";
  write_text(experiment.data("train.json"), samples.dump());
  require_user_error(experiment.run("tune"), {"[tune] expected sound samples", "lost.png"});
  CHECK_FALSE(fs::exists(experiment.output()));
}

TEST_CASE("a stage alone refuses what another recipe or other files made") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + kSpeed);
  require_success(experiment.run("run"));
  const auto refused = [&](std::vector<std::string> more, const std::vector<std::string>& parts) {
    require_user_error(experiment.run("eval", more), parts);
    more.push_back("--dry-run");
    require_user_error(experiment.run("eval", more), parts);
  };
  refused({"--set", "quantize.bits=2"},
          {"[eval]", "the recipe's quantize stage", "bits: 2 for bits: 4", "`qslaw run`", "model.stages"});
  refused({"--set", "tune.lora.rank=8"}, {"[eval]", "the recipe's tune stage", "rank: 8 for rank: 4"});
  refused({"--set", "seed=6"}, {"seed 6 for seed 5"});
  require_success(experiment.run("eval", {"--set", "eval.benchmarks.0.new_tokens=3"}));
  const fs::path data = experiment.data("train.json");
  touch(data);
  require_success(experiment.run("eval"));
  change(data);
  refused({}, {"the recipe's tune stage", "the changed file " + data.string(), "model.stages"});

  // Both ways that it names.
  experiment.write_recipe(
      kSpeed, "{path: model, random_weights: true, dtype: float32, stages: [out/quantize, out/tune]}");
  require_success(experiment.run("eval", {"--out", (experiment.path() / "other").string()}));
  experiment.write_recipe(kQuantize + kTune + kSpeed);
  require_success(experiment.run("run"));
  require_success(experiment.run("eval"));
}

TEST_CASE("a file that is gone is named as such") {
  const TinyExperiment experiment;
  const fs::path picture = move_picture(experiment, 3, "coco");
  experiment.write_recipe(kTune + kSpeed);
  require_success(experiment.run("tune"));
  fs::remove(picture);
  require_user_error(experiment.run("eval"), {"the missing file " + picture.string()});
  fs::remove(experiment.data("train.json"));
  require_user_error(experiment.run("eval"), {"the missing file " + experiment.data("train.json").string()});
}

TEST_CASE("a finished stage of another device is not done again unasked") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kSpeed);
  require_success(experiment.run("quantize"));
  // As a GPU had left it.
  const fs::path stage = experiment.output() / "quantize";
  std::string inputs = file_bytes(stage / "inputs.txt");
  inputs.replace(inputs.find("device cpu"), std::string("device cpu").size(), "device cuda");
  write_text(stage / "inputs.txt", inputs);
  json report = json_file(stage / "report.json");
  report["fingerprint"] = "that of the GPU";
  write_text(stage / "report.json", report.dump());

  const auto untouched = file_times(stage);
  for (const char* command : {"quantize", "run"}) {
    require_user_error(experiment.run(command),
                       {"[quantize]", "device cpu for device cuda", "--device", "--restart", stage.string()});
  }
  require_success(experiment.run("eval"));  // measured here, made there
  CHECK(file_times(stage) == untouched);
  // Not of the same inputs anyway.
  require_success(experiment.run("quantize", {"--set", "quantize.bits=3"}));
  CHECK(file_times(experiment.output() / "quantize.previous") == untouched);
}

TEST_CASE("a stage's data is searched for its pictures once") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune + kSpeed);
  const OpenCounter data(experiment.data("train.json"));
  require_success(experiment.run("tune"));
  // And read and hashed, to be looked at and to be trained on; openings with nothing between them count once.
  CHECK(data.count() == 4);
  require_success(experiment.run("run"));
  CHECK(data.count() == 1);
  require_success(experiment.run("eval", {"--set", "eval.benchmarks.0.new_tokens=3"}));
  CHECK(data.count() == 1);
}

TEST_CASE("a benchmark's questions are read once before the run and once by it") {
  const TinyExperiment experiment;
  json answers = json::array();
  for (int i = 0; i < 10; ++i)
    answers.push_back(json{{"answer", "4"}, {"answer_confidence", "yes"}});
  const fs::path picture = fs::directory_iterator(experiment.data("pictures"))->path();
  write_text(experiment.data("val.json"), json::array({{{"image", picture.filename().string()},
                                                        {"question", "What is this?"},
                                                        {"answers", answers},
                                                        {"answer_type", "other"}}})
                                              .dump());
  experiment.write_recipe(
      "eval: {benchmarks: [{kind: vizwiz, path: data/val.json, images: data/pictures, max_new_tokens: "
      "2}]}\n");
  const OpenCounter questions(experiment.data("val.json"));
  require_success(experiment.run("eval", {"--dry-run"}));
  CHECK(questions.count() == 1);
  require_success(experiment.run("eval"));
  CHECK(questions.count() == 3);  // and once for the hash of its bytes
}

TEST_CASE("an artifact that is no longer what its stage left is not built on") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + kSpeed);
  require_success(experiment.run("run"));
  const fs::path out = experiment.output();
  // A byte of its data, its size and time as they were.
  const auto damage = [&](const fs::path& file) {
    const auto time = fs::last_write_time(file);
    flip_bit(file);
    fs::last_write_time(file, time);
  };
  const auto recorded = [&](const std::string& stage, const std::string& file) {
    return json_file(out / stage / "report.json").at("files").at(file).get<std::string>();
  };
  const std::vector<std::string> changed = {"--set", "eval.benchmarks.0.new_tokens=3"};
  const fs::path adapter = out / "tune" / "adapter.safetensors",
                 packed = out / "quantize/language.safetensors";
  damage(adapter);
  const auto measured = file_times(out / "eval");
  for (const char* command : {"eval", "run"})
    require_user_error(experiment.run(command, changed),
                       {"[eval]", adapter.string(), "SHA-256 " + recorded("tune", "adapter.safetensors"),
                        "got ", "`qslaw tune` and --restart"});
  CHECK(file_times(out / "eval") == measured);  // nor is the earlier result lost
  require_success(experiment.run("tune", {"--restart"}));
  require_success(experiment.run("eval", changed));

  damage(packed);
  const std::string hash = recorded("quantize", "language.safetensors");
  require_user_error(experiment.run("tune", {"--restart"}),
                     {"[tune]", packed.string(), hash, "`qslaw quantize` and --restart"});
  CHECK(fs::exists(adapter));
  experiment.write_recipe(kSpeed,
                          "{path: model, random_weights: true, dtype: float32, stages: [out/quantize]}");
  require_user_error(experiment.run("eval", {"--out", (experiment.path() / "other").string()}),
                     {"[eval]", packed.string(), hash, "do that stage again", "key model.stages"});
}
