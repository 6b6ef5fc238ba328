// Finished stages of other runs (model.stages) below this recipe's own.
#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kExportHf = "export: {formats: [hf], dtype: float32}\n";

// model/ with these stage folders, "full/tune, plain/quantize", below it.
std::string with_stages(const std::string& stages) {
  return "{path: model, random_weights: true, dtype: float32, stages: [" + stages + "]}";
}

// A finished stage in `name`/.
void make_stage(const TinyExperiment& experiment, const std::string& name, const std::string& command,
                const std::string& section, const std::vector<std::string>& changes = {},
                const std::string& model = "") {
  experiment.write_recipe(section, model);
  std::vector<std::string> more = {"--out", (experiment.path() / name).string()};
  for (const std::string& change : changes)
    more.insert(more.end(), {"--set", change});
  require_success(experiment.run(command, more));
}

void make_full(const TinyExperiment& experiment) {
  make_stage(experiment, "full", "tune", kTune,
             {"tune.method=full", "tune.lora=null", "tune.train_vision=true", "tune.optimizer.lr=0.001"});
}

void require_both_stop(const TinyExperiment& experiment, const std::string& command,
                       const std::vector<std::string>& parts) {
  require_user_error(experiment.run(command, {"--dry-run"}), parts);
  require_user_error(experiment.run(command), parts);
  CHECK_FALSE(fs::exists(experiment.output()));
}

}  // namespace

TEST_CASE("a fully tuned model is what is quantized behind it") {
  const TinyExperiment experiment;
  make_full(experiment);
  const fs::path ours = experiment.path() / "ours", theirs = experiment.path() / "theirs";
  experiment.write_recipe(kQuantize + kExportHf, with_stages("full/tune"));
  require_success(experiment.run("run", {"--out", ours.string()}));
  // The same by way of a folder of weights.
  experiment.write_recipe(kExportHf, with_stages("full/tune"));
  require_success(experiment.run("run", {"--out", (experiment.path() / "weights").string()}));
  experiment.write_recipe(kQuantize + kExportHf, "{path: weights/export/hf, dtype: float32}");
  require_success(experiment.run("run", {"--out", theirs.string()}));
  require_same_files(ours / "export" / "hf", theirs / "export" / "hf", {"model.safetensors"});
  CHECK(json_file(ours / "quantize" / "report.json").at("results").at("layers") ==
        json_file(theirs / "quantize" / "report.json").at("results").at("layers"));

  // Everything else goes on from there.
  experiment.write_recipe(kQuantize + kWarmup + kTune + kEval + kExport, with_stages("full/tune"));
  require_success(experiment.run("run"));
}

TEST_CASE("pictures are calibrated on through a projector that was trained before") {
  const TinyExperiment experiment;
  make_stage(experiment, "pretrain", "tune", kTune,
             {"tune.method=projector", "tune.lora=null", "tune.optimizer.lr=0.001"});
  const std::string quantize =
      "quantize:\n  method: omniquant\n  group_size: 32\n  omniquant: {epochs: 1}\n"
      "  calibration: {kind: llava, path: data/captions.json, images: data/pictures, samples: 8, length: "
      "64}\n";
  const auto first_loss = [&](const std::string& name, const std::string& stages) {
    make_stage(experiment, name, "quantize", quantize, {}, with_stages(stages));
    const json report = json_file(experiment.path() / name / "quantize" / "report.json");
    return report.at("results").at("blocks").at(0).at("loss_before").get<double>();
  };
  CHECK(first_loss("behind", "pretrain/tune") != first_loss("alone", ""));
}

TEST_CASE("what cannot be quantized again is refused") {
  const TinyExperiment experiment;
  make_stage(experiment, "adapter", "tune", kTune);
  make_stage(experiment, "plain", "quantize", kQuantize);
  experiment.write_recipe(kQuantize, with_stages("adapter/tune"));
  for (const char* command : {"quantize", "run"})
    require_both_stop(experiment, command, {"[quantize]", "without adapter", "adapter.safetensors", "hf"});
  experiment.write_recipe(kQuantize, with_stages("plain/quantize"));
  require_both_stop(experiment, "run", {"[quantize]", "dense", "plain/quantize/language.safetensors"});
}

TEST_CASE("packed weights go with the model that they were made of") {
  const TinyExperiment experiment;
  make_full(experiment);
  make_stage(experiment, "plain", "quantize", kQuantize);
  make_stage(experiment, "tuned", "quantize", kQuantize, {}, with_stages("full/tune"));
  const std::string speed = "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";
  const auto refused = [&](const std::string& stages, const std::vector<std::string>& parts) {
    experiment.write_recipe(speed, with_stages(stages));
    require_both_stop(experiment, "eval", parts);
  };
  refused("tuned/quantize", {"[model]", "tuned the model in full", "tuned/quantize/language.safetensors"});
  refused("full/tune, plain/quantize", {"[model]", "full/tune/model.safetensors", "those of the checkpoint"});
  refused("plain/quantize, full/tune", {"[model]", "before the packed one", "full/tune/model.safetensors"});
  experiment.write_recipe(speed, with_stages("full/tune, tuned/quantize"));
  require_success(experiment.run("eval"));
}

TEST_CASE("linears that other runs left are estimated by what their files say") {
  const TinyExperiment experiment;
  make_stage(experiment, "pretrain", "tune", kTune, {"tune.method=projector", "tune.lora=null"});
  make_stage(experiment, "two", "quantize", kQuantize, {"quantize.bits=2"});
  const auto weights = [&](const std::string& stages) {
    experiment.write_recipe(kTune, with_stages(stages));
    const ProgramResult result = experiment.run("tune", {"--dry-run", "--json"});
    require_success(result);
    return json::parse(result.out).at("estimate").at("rows").at(0).at("weights").get<int64_t>();
  };
  const int64_t dense = weights("");
  CHECK(weights("pretrain/tune") == dense);
  const json results = json_file(experiment.path() / "two" / "quantize" / "report.json").at("results");
  const int64_t packed = results.at("packed_bytes"), in_bfloat16 = results.at("dense_bytes");
  CHECK(weights("two/quantize") == dense - 2 * in_bfloat16 + packed);  // float32 here
}

TEST_CASE("a stage that leaves no model is not built on, nor one that is to be written") {
  const TinyExperiment experiment;
  const std::string speed = "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";
  make_stage(experiment, "measured", "eval", speed);
  make_stage(experiment, "written", "export", kExportHf);
  for (const char* stage : {"measured/eval", "written/export"}) {
    experiment.write_recipe(kQuantize, with_stages(stage));
    for (const char* command : {"quantize", "run"})
      require_both_stop(experiment, command,
                        {"[model]", "quantize, warmup or tune", stage, "key model.stages"});
  }
  make_stage(experiment, "pretrain", "tune", kTune, {"tune.method=projector", "tune.lora=null"});
  experiment.write_recipe(kTune, with_stages("pretrain/tune"));
  require_user_error(experiment.run("tune", {"--out", (experiment.path() / "pretrain").string()}),
                     {"[model]", "this recipe's tune", "pretrain/tune", "--out"});
  CHECK(fs::exists(experiment.path() / "pretrain" / "tune" / "report.json"));
}
