// A LoRA folder as the start (model.adapter): evaluated, tuned on, exported, refused.
#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kLoss =
    "eval: {benchmarks: [{kind: loss, path: data/heldout.json, images: data/pictures}]}\n";
const std::string kExportPeft = "export: {formats: [hf_base, peft], dtype: float32}\n";
const std::string kMeasured =
    "  heldout: {pictures: {kind: llava, path: data/heldout.json, images: data/pictures, max_length: 64}}\n";

std::string with_adapter(const std::string& folder, const std::string& more = "") {
  return "{path: model, random_weights: true, dtype: float32, adapter: " + folder + more + "}";
}

// A run that packs, tunes, measures and exports; its adapter is first/export/peft.
fs::path make_first(const TinyExperiment& experiment) {
  const fs::path first = experiment.path() / "first";
  experiment.write_recipe(kQuantize + kTune + kMeasured + kLoss + kExportPeft);
  require_success(experiment.run("run", {"--out", first.string()}));
  return first;
}

json results_of(const fs::path& stage) {
  return json_file(stage / "report.json").at("results");
}

void require_both_stop(const TinyExperiment& experiment, const std::vector<std::string>& parts) {
  require_user_error(experiment.run("run", {"--dry-run"}), parts);
  require_user_error(experiment.run("run"), parts);
}

}  // namespace

TEST_CASE("a LoRA folder is measured, exported and tuned on as the adapter it came from") {
  const TinyExperiment experiment;
  const fs::path first = make_first(experiment), second = experiment.output();
  experiment.write_recipe(kQuantize + kLoss + kExportPeft, with_adapter("first/export/peft"));
  require_success(experiment.run("run", {"--dry-run"}));
  require_success(experiment.run("run"));
  CHECK(results_of(second / "eval").at("loss") == results_of(first / "eval").at("loss"));
  require_same_files(second / "export" / "peft", first / "export" / "peft", {"adapter_model.safetensors"});
  require_same_files(second / "export" / "hf_base", first / "export" / "hf_base", {"config.json"});

  experiment.write_recipe(kQuantize + kTune + kMeasured + kLoss, with_adapter("first/export/peft"));
  require_success(experiment.run("run"));
  CHECK(results_of(second / "tune").at("heldout").at("before") ==
        results_of(first / "tune").at("heldout").at("after"));
  CHECK(results_of(second / "eval").at("loss") != results_of(first / "eval").at("loss"));  // the tuned one
  const fs::path weights = first / "export" / "peft" / "adapter_model.safetensors";
  flip_bit(weights);
  touch(weights);  // whatever the clock's resolution
  const ProgramResult changed = experiment.run("run", {"--dry-run", "--json"});
  require_success(changed);
  const json stages = json::parse(changed.out).at("stages").at("rows");
  CHECK(stages.at(0).at("status") == "complete");  // quantize does not look at it
  CHECK_THAT(stages.at(1).at("status").get<std::string>(),
             Catch::Contains("the changed file") && Catch::Contains("adapter_model.safetensors"));
}

TEST_CASE("a LoRA folder that does not fit stops the dry run") {
  const TinyExperiment experiment;
  const fs::path peft = make_first(experiment) / "export" / "peft";
  const std::string adapter = with_adapter("first/export/peft");
  experiment.write_recipe(kQuantize + kTune, adapter);
  require_user_error(experiment.run("run", {"--dry-run", "--set", "tune.lora.rank=8"}),
                     {"expected 4, that of model.adapter, got 8", "key tune.lora.rank"});
  require_user_error(experiment.run("run", {"--dry-run", "--set", "tune.lora.alpha=4"}),
                     {"expected 8, that of model.adapter, got 4", "key tune.lora.alpha"});
  require_user_error(
      experiment.run("run", {"--dry-run", "--set", "tune.method=projector", "--set", "tune.lora=null"}),
      {"expected lora beside model.adapter", "key tune.method"});
  experiment.write_recipe(kQuantize + kWarmup + kLoss, adapter);
  require_both_stop(experiment, {"expected none beside model.adapter", "got 2", "key warmup.phases"});
  experiment.write_recipe(kLoss, with_adapter("first/export/peft", ", stages: [first/quantize, first/tune]"));
  require_both_stop(experiment, {"one adapter", "first/tune/adapter.safetensors", "key model.adapter"});
  experiment.write_recipe(kLoss, with_adapter("model"));
  require_both_stop(experiment, {"adapter_config.json", "key model.adapter", "recipe.yaml, line 4"});

  // Its base is the packed one, or what hf_base made of it, not the checkpoint that was quantized.
  experiment.write_recipe(kLoss, adapter);
  require_user_error(experiment.run("run"),
                     {"expected the quantized base", "16-bit model of its own", "key model.adapter"});
  experiment.write_recipe(kLoss, "{path: first/export/hf_base, dtype: float32, adapter: first/export/peft}");
  require_success(experiment.run("run"));
  // The packed base is rounded to float32 once more where it is written.
  CHECK(results_of(experiment.output() / "eval").at("loss").at("loss").get<double>() ==
        Approx(results_of(peft.parent_path().parent_path() / "eval").at("loss").at("loss").get<double>())
            .epsilon(1e-5));

  // What the packed base will be is known once it is there.
  experiment.write_recipe(kQuantize + kLoss, adapter);
  require_user_error(experiment.run("run", {"--set", "quantize.bits=3"}),
                     {"got another one", "first/export/peft", "key model.adapter"});
  fs::resize_file(peft / "adapter_model.safetensors", 1000);
  require_both_stop(experiment, {"adapter_model.safetensors", "key model.adapter"});
}
