// What is left for others, exports and predictions: that it is there, and of this run.
#include <set>

#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

}  // namespace

TEST_CASE("an export holds what its recipe lists and nothing of an earlier one") {
  const TinyExperiment experiment;
  const fs::path model = experiment.model_with_weights();
  experiment.write_recipe(kQuantize + kTune + kExport, "{path: " + model.string() + ", dtype: float32}");
  require_success(experiment.run("run"));
  const fs::path folder = experiment.output() / "export";
  require_success(experiment.run("run", {"--set", "export.formats=[peft]", "--set", "tune.max_steps=4"}));
  CHECK(names_in(folder) ==
        std::set<std::string>{"inputs.txt", "log.txt", "peft", "recipe.yaml", "report.json"});
  // The base that it names is one of this run, not what lay beside it.
  const json adapter = json_file(folder / "peft" / "adapter_config.json");
  CHECK(adapter.at("base_model_name_or_path") == model.string());
}

TEST_CASE("exports and predictions that are gone are made again, and nothing else") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kEval + kExport);
  const std::vector<std::string> dense = {"--set", "export.formats=[hf,hf_base]"};
  require_success(experiment.run("run", dense));
  const fs::path out = experiment.output();
  const auto reports = [&] {
    std::map<std::string, fs::file_time_type> times;
    for (const char* stage : {"quantize", "eval", "export"})
      times[stage] = fs::last_write_time(out / stage / "report.json");
    return times;
  };
  auto before = reports();
  const auto require_redone = [&](const std::string& stage, const std::string& file) {
    INFO(file);
    const std::string bytes = file_bytes(out / stage / file);
    fs::remove(out / stage / file);
    const ProgramResult result = experiment.run("run", dense);
    require_success(result);
    CHECK_THAT(result.err, Catch::Contains(stage + ": its file " + file + " is gone, starting over"));
    CHECK(fs::exists(out / stage / file));
    auto after = reports();
    CHECK(after[stage] > before[stage]);
    after[stage] = before[stage];
    CHECK(after == before);
    before = reports();
  };
  require_redone("eval", "predictions/loss.jsonl");
  CHECK(fs::exists(out / "eval.previous" / "report.json"));
  require_redone("export", "hf/model.safetensors");
  fs::remove_all(out / "export" / "hf_base");
  require_success(experiment.run("export", dense));
  CHECK(fs::exists(out / "export" / "hf_base" / "config.json"));
}

TEST_CASE("an adapter on a fully tuned model is exported with that model as its base, or not at all") {
  const TinyExperiment experiment;
  const std::string weights = "{path: " + experiment.model_with_weights().string() + ", dtype: float32";
  const fs::path full = experiment.path() / "full";
  experiment.write_recipe(kTune, weights + "}");
  require_success(
      experiment.run("tune", {"--set", "tune.method=full", "--set", "tune.lora=null", "--out", full}));
  experiment.write_recipe(kTune + kExport, weights + ", stages: [full/tune]}");
  const std::vector<std::string> alone = {"--set", "export.formats=[peft]"};
  const std::vector<std::string> parts = {"[export]", "hf_base beside peft",
                                          (full / "tune/model.safetensors").string()};
  require_user_error(experiment.run("run", {alone[0], alone[1], "--dry-run"}), parts);
  require_user_error(experiment.run("run", alone), parts);
  CHECK_FALSE(fs::exists(experiment.output()));
  require_success(experiment.run("tune"));
  require_user_error(experiment.run("export", alone), parts);
  require_success(experiment.run("export"));
  // What stands in for the checkpoint in hf_base is what was tuned.
  const fs::path folder = experiment.output() / "export";
  CHECK(json_file(folder / "peft" / "adapter_config.json").at("base_model_name_or_path") == "../hf_base");
  const bool untuned = file_bytes(folder / "hf_base" / "model.safetensors") ==
                       file_bytes(experiment.path() / "weights" / "export" / "hf" / "model.safetensors");
  CHECK_FALSE(untuned);
}

TEST_CASE("format peft without an adapter is refused before anything runs") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const std::vector<std::string> projector = {"--set", "tune.method=projector", "--set", "tune.lora=null"};
  auto pretrain = projector;
  pretrain.insert(pretrain.end(), {"--out", (experiment.path() / "pretrain").string()});
  require_success(experiment.run("tune", pretrain));
  experiment.write_recipe(kTune + kExport,
                          "{path: model, random_weights: true, dtype: float32, stages: [pretrain/tune]}");
  require_user_error(experiment.run("run", projector), {"[export]", "LoRA adapter", "peft"});
  CHECK_FALSE(fs::exists(experiment.output()));
}
