// What the authors' programs left as the start: clipping factors and gamma.
#include <csignal>
#include <regex>

#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kGiven =
    "quantize: {method: omniquant, group_size: 32, omniquant: {start: omni_parameters.pth, epochs: 0}}\n"
    "warmup: {first_layer: 1, start: scaling.bin, phases: []}\n";

const std::string kLearned = R"(quantize:
  method: omniquant
  group_size: 32
  omniquant: {start: omni_parameters.pth, epochs: 1}
  calibration: {kind: text, path: data/calibration.txt, samples: 4, length: 32}
)";

const std::string kSpeed = "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";

// Factors and gamma in the model's shapes, beside the recipe.
void copy_starts(const TinyExperiment& experiment) {
  for (const char* name : {"omni_parameters.pth", "scaling.bin"})
    fs::copy_file(fs::path(QSLAW_FIXTURES) / "start" / "program" / name, experiment.path() / name);
}

json results_of(const fs::path& stage) {
  return json_file(stage / "report.json").at("results");
}

// Both the stage alone and its dry run.
void require_both_stop(const TinyExperiment& experiment, const std::string& command,
                       const std::vector<std::string>& parts) {
  require_user_error(experiment.run(command, {"--dry-run"}), parts);
  require_user_error(experiment.run(command), parts);
}

}  // namespace

TEST_CASE("given factors and gamma make a packed model without data or a step") {
  const TinyExperiment experiment;
  copy_starts(experiment);
  experiment.write_recipe(kGiven + kSpeed);
  require_success(experiment.run("run", {"--dry-run"}));
  require_success(experiment.run("run"));
  const json quantized = results_of(experiment.output() / "quantize"),
             warmed = results_of(experiment.output() / "warmup");
  CHECK(quantized.at("layers").size() == 21);
  CHECK_FALSE(quantized.contains("blocks"));
  CHECK(warmed.at("steps") == 0);
  CHECK(warmed.at("gamma").size() == 2);
  CHECK(warmed.at("codes_changed_share") > 0.1);  // gamma differs from 1 by 0.15 in the mean
  CHECK(fs::exists(experiment.output() / "warmup" / "gamma.safetensors"));
  // The recipe that a stage keeps says all and can be run again.
  const fs::path resolved = experiment.output() / "warmup" / "recipe.yaml";
  require_success(run_program({"run", resolved.string(), "--device", "cpu", "--threads", "1", "--dry-run"}));

  require_success(experiment.run("run"));  // nothing is left to do
  const fs::path start = experiment.path() / "scaling.bin";
  flip_bit(start, fs::file_size(start) / 2);
  touch(start);  // whatever the clock's resolution
  const ProgramResult changed = experiment.run("run", {"--dry-run", "--json"});
  require_success(changed);
  const json stages = json::parse(changed.out).at("stages").at("rows");
  CHECK(stages.at(0).at("status") == "complete");
  CHECK_THAT(stages.at(1).at("status").get<std::string>(),
             Catch::Contains("the changed file") && Catch::Contains("scaling.bin"));
}

TEST_CASE("a model into which gamma was absorbed is packed again, one that was never quantized is refused") {
  const TinyExperiment experiment;
  copy_starts(experiment);
  experiment.write_recipe(kGiven + "export: {formats: [hf], dtype: bfloat16}\n");
  require_success(experiment.run("run"));
  const TinyExperiment again;
  const fs::path absorbed = experiment.output() / "export" / "hf";
  const std::string pack = "quantize: {method: absorbed, bits: 4, group_size: 32}\n";
  again.write_recipe(pack + kSpeed, "{path: " + absorbed.string() + ", dtype: float32}");
  require_success(again.run("run", {"--dry-run"}));
  require_success(again.run("run"));
  const json layers = results_of(again.output() / "quantize").at("layers");
  REQUIRE(layers.size() == 21);
  int64_t choices = 0;
  for (const json& layer : layers) {
    CHECK(layer.at("relative_error") < 0x1p-8);  // half a unit in bfloat16's last place
    choices += layer.at("groups_with_choice").get<int64_t>();
  }
  CHECK(choices > 0);

  const fs::path dense = again.model_with_weights();
  again.write_recipe(pack, "{path: " + dense.string() + "}");
  require_user_error(again.run("quantize", {"--out", (again.path() / "other").string()}),
                     {"[quantize]", "model.layers.0.self_attn.q_proj", "got float32"});
}

TEST_CASE("gamma is given no second time to weights that hold it, whoever packed them") {
  const TinyExperiment experiment;
  copy_starts(experiment);
  const std::string given = kGiven.substr(kGiven.find("warmup:"));
  const auto refused = [&](const fs::path& stage, const std::string& model, const std::string& method) {
    const std::string brought = "{path: " + model + ", dtype: float32, stages: [" + stage.string() + "]}";
    experiment.write_recipe(given, brought);
    for (const std::string command : {"run", "warmup"}) {
      INFO(command << " on " << method);
      for (const std::vector<std::string>& more : {std::vector<std::string>{"--dry-run"}, {}}) {
        std::vector<std::string> arguments = {"--out", (experiment.path() / "twice").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        require_user_error(experiment.run(command, arguments),
                           {"expected none on weights of method " + method, "scaling.bin",
                            "recipe.yaml, line ", "key warmup.start"});
      }
    }
  };
  experiment.write_recipe(kGiven + "export: {formats: [hf], dtype: bfloat16}\n");
  require_success(experiment.run("run"));
  refused(experiment.output() / "warmup", "model, random_weights: true", "omniquant+qslaw");

  const fs::path packed = experiment.path() / "packed", absorbed = experiment.output() / "export" / "hf";
  experiment.write_recipe("quantize: {method: absorbed, bits: 4, group_size: 32}\n",
                          "{path: " + absorbed.string() + ", dtype: float32}");
  require_success(experiment.run("quantize", {"--out", packed.string()}));
  refused(packed / "quantize", absorbed.string(), "absorbed");
  // Of the codes without gamma the same recipe is one.
  experiment.write_recipe(given, "{path: model, random_weights: true, dtype: float32, stages: [" +
                                     (experiment.output() / "quantize").string() + "]}");
  require_success(experiment.run("run", {"--out", (experiment.path() / "once").string()}));
}

TEST_CASE("learning goes on from given factors and gamma, and a resumed run wants the same ones") {
  const TinyExperiment experiment;
  copy_starts(experiment);
  // More steps than a late signal can miss.
  const std::string longer = kLearned +
                             std::regex_replace(kWarmup, std::regex("max_steps: 8"), "max_steps: 30") +
                             "  start: scaling.bin\n";
  experiment.write_recipe(longer);
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("run", {"--out", expected.string()}));
  CHECK(results_of(expected / "quantize").at("blocks").size() == 3);

  experiment.write_recipe(kLearned);
  require_success(experiment.run("run"));
  experiment.write_recipe(longer);
  RunningProgram program(experiment.arguments("run"));
  REQUIRE(wait_until(program,
                     [&] { return count_lines(experiment.output() / "warmup" / "metrics.jsonl") >= 3; }));
  program.send(SIGTERM);
  REQUIRE(program.wait().exit_code == 75);
  const fs::path start = experiment.path() / "scaling.bin";
  flip_bit(start, fs::file_size(start) / 2);
  require_user_error(experiment.run("run", {"--resume"}), {"the changed file", "scaling.bin"});
  flip_bit(start, fs::file_size(start) / 2);
  require_success(experiment.run("run", {"--resume"}));
  require_same_files(
      experiment.output(), expected,
      {"quantize/language.safetensors", "warmup/gamma.safetensors", "warmup/language.safetensors"});
}

TEST_CASE(
    "files to start from that are missing, cut, malicious or do not fit stop the dry run at their key") {
  const TinyExperiment experiment;
  copy_starts(experiment);
  const fs::path factors = experiment.path() / "omni_parameters.pth",
                 gamma = experiment.path() / "scaling.bin";
  const fs::path fixtures = fs::path(QSLAW_FIXTURES) / "start";
  const auto refused = [&](const fs::path& start, const std::string& command, const std::string& key,
                           const std::vector<std::string>& parts) {
    std::vector<std::string> all = {"[recipe]", start.string(), key, "recipe.yaml, line "};
    all.insert(all.end(), parts.begin(), parts.end());
    require_both_stop(experiment, command, all);
  };
  experiment.write_recipe(kGiven);
  fs::copy_file(fixtures / "runs_code.pth", factors, fs::copy_options::overwrite_existing);
  refused(factors, "quantize", "key quantize.omniquant.start", {"posix.system"});
  CHECK_FALSE(fs::exists(fs::current_path() / "executed"));
  fs::copy_file(fixtures / "omni_parameters.pth", factors, fs::copy_options::overwrite_existing);
  refused(factors, "quantize", "key quantize.omniquant.start", {"expected shape [32, 1]", "got [16, 1]"});
  fs::copy_file(fixtures / "program" / "omni_parameters.pth", factors, fs::copy_options::overwrite_existing);
  require_success(experiment.run("quantize"));

  fs::resize_file(gamma, 3000);
  refused(gamma, "warmup", "key warmup.start", {});
  require_both_stop(experiment, "run", {"key warmup.start"});
  fs::remove(gamma);
  refused(gamma, "warmup", "key warmup.start", {"exists"});
}
