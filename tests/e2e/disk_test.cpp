// What a dry run says that stages will write, against what small runs leave.
#include <sys/mount.h>
#include <unistd.h>

#include "dry_run.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// Of tensors alone: beside real ones texts are small, beside the tiny model's they are not.
int64_t tensor_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

json estimates(const TinyExperiment& experiment, const std::string& command, const Words& more = {}) {
  const ProgramResult result = dry_run(experiment, command, more);
  require_success(result);
  return json::parse(result.out).at("estimate").at("rows");
}

void check_near(const json& estimate, double actual) {
  REQUIRE(actual > 0);
  CHECK(estimate.get<double>() == Approx(actual).epsilon(0.1));
}

// A file system of its own at `folder` while it lives, where the user may mount one.
class SmallDisk {
 public:
  SmallDisk(const fs::path& folder, const std::string& size) : folder_(folder) {
    fs::create_directories(folder);
    mounted_ =
        ::geteuid() == 0 && ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
    if (!mounted_) WARN("skipped: mounting a small file system is not allowed here");
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  Words out() const { return {"--out", (folder_ / "out").string()}; }

 private:
  fs::path folder_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("a dry run's disk is what stages leave, within a tenth") {
  const TinyExperiment experiment;
  const auto check = [&](const Words& more) {
    const json rows = estimates(experiment, "run", more);
    require_success(experiment.run("run", more));
    for (const json& row : rows) {
      INFO(row);
      check_near(row.at("disk"),
                 static_cast<double>(tensor_bytes(experiment.output() / row.at("stage").get<std::string>())));
    }
    fs::remove_all(experiment.output());
  };
  SECTION("packed, with scales and adapters") {
    experiment.write_recipe(kQuantize + kWarmup + kTune + kExport);
    check({});
    check({"--set", "quantize.bits=2", "--set", "warmup.train_projector=false", "--set",
           "export.dtype=bfloat16"});
  }
  SECTION("dense") {
    const Words full = {"--set", "tune.method=full", "--set", "tune.lora=null"};
    experiment.write_recipe(kTune + "export: {formats: [hf]}\n");
    check(full);
    check({full[0], full[1], full[2], full[3], "--set", "tune.train_vision=true"});
    check({"--set", "tune.method=projector", "--set", "tune.lora=null"});
  }
}

TEST_CASE("a dry run's checkpoints are two of those that training leaves, within a tenth") {
  const TinyExperiment experiment;
  // The run ends in its first step, behind its first checkpoint.
  cut_picture(experiment.data("pictures") /
              json_file(experiment.data("train.json")).at(7).at("image").get<std::string>());
  experiment.write_recipe(kTune);
  const std::string states = GENERATE("float32", "int8");
  const Words more = {"--set", "tune.batch_size=24", "--set", "tune.optimizer.states=" + states};
  const json row = estimates(experiment, "tune", more).at(0);
  CHECK(experiment.run("tune", more).exit_code == 2);
  check_near(row.at("checkpoints"), 2.0 * static_cast<double>(tensor_bytes(experiment.output() / "tune")));
}

TEST_CASE("what a disk has no room for is known before") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  SECTION("at all") {
    const SmallDisk disk(experiment.path() / "disk", "16k");
    if (!disk.mounted()) return;
    require_user_error(experiment.run("quantize", disk.out()),
                       {"[disk] expected at most the 16.0 KiB of the file system of " + disk.out()[1]});
    CHECK_FALSE(fs::exists(disk.out()[1]));
    // Perhaps it is for another machine.
    const ProgramResult dry = experiment.run("quantize", {"--dry-run", "--out", disk.out()[1]});
    require_success(dry);
    CHECK_THAT(dry.err, Catch::Contains("[disk]") && Catch::Contains("give another --out"));
  }
  SECTION("now") {
    const SmallDisk disk(experiment.path() / "disk", "64k");
    if (!disk.mounted()) return;
    write_text(experiment.path() / "disk" / "other", std::string(48 << 10, 'x'));
    const ProgramResult result = experiment.run("quantize", disk.out());
    require_user_error(result, {disk.out()[1], "is the disk full?"});
    CHECK_THAT(result.err, Catch::Contains("[disk] expected at most the 16.0 KiB that are free"));
  }
}
