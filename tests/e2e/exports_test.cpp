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
  CHECK(names_in(folder) == std::set<std::string>{"inputs.txt", "log.txt", "peft", "recipe.yaml", "report.json"});
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
