// Every recipe of recipes/paper passes a dry run in a workspace of real sizes without weights, and its
// estimates agree with published parameter counts.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "project_python.h"
#include "run_program.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

// Published totals: LlamaForCausalLM 6,738,415,616 and 13,015,864,320; CLIPVisionModel ViT-L/14 303,179,776
// (224 pixels) and 303,507,456 (336), of which LLaVA leaves out the last block (12,596,224) and the last norm
// (2,048). Linears, groups of 128, gamma of layers 6 and up, and LoRA of rank 128 are counted by hand from
// the layer shapes.
struct LanguageCounts {
  double total, linears, groups, gamma, lora128;
};
constexpr LanguageCounts k7B = {6738415616.0, 6476005376.0, 50593792.0, 41107456.0, 319815680.0};
constexpr LanguageCounts k13B = {13015864320.0, 12687769600.0, 99123200.0, 84254720.0, 500695040.0};
constexpr double kTower224 = 303179776.0 - 12596224 - 2048, kTower336 = 303507456.0 - 12596224 - 2048;

struct PaperRecipe {
  bool chat, large;
  std::string method;

  std::string name() const {
    return (chat ? "chat_" : "scienceqa_") + std::string(large ? "13b_" : "7b_") + method;
  }
  const LanguageCounts& language() const { return large ? k13B : k7B; }
  double tower() const { return chat ? kTower336 : kTower224; }
  double projector() const {
    const double width = large ? 5120 : 4096, first = (1024 + 1) * width;
    return chat ? first + (width + 1) * width : first;
  }
  double lora() const { return method == "full" ? 0.0 : language().lora128 * (chat ? 1.0 : 0.5); }

  // Bytes of the decoder's linears: 4-bit codes with a float32 scale and an int16 zero point per group of
  // 128; 4-bit codes with a byte per 64 and a float32 per 64 * 256; 4-byte or 2-byte numbers.
  double linear_bytes() const {
    if (method == "qslaw") return language().linears / 2 + 6 * language().groups;
    if (method == "qlora") return language().linears * (0.5 + (1.0 + 4.0 / 256) / 64);
    return (method == "full" ? 4 : 2) * language().linears;
  }
  double tune_weights() const {
    // A table that is not trained stays in its file.
    const double table = method == "full" ? 0.0 : 32000.0 * (large ? 5120 : 4096);
    const double other = language().total - language().linears - table;
    return linear_bytes() + (method == "full" ? 4 : 2) * other + 2 * tower() + 4 * (projector() + lora());
  }
  double trained() const { return projector() + (method == "full" ? language().total : lora()); }
};

std::vector<PaperRecipe> all_recipes() {
  std::vector<PaperRecipe> recipes;
  for (const bool chat : {false, true})
    for (const bool large : {false, true})
      for (const char* method : {"full", "lora", "qlora", "qslaw"})
        recipes.push_back({chat, large, method});
  return recipes;
}

using Estimates = std::map<std::string, nlohmann::json>;  // by stage

Estimates dry_run(const fs::path& workspace, const std::string& name) {
  const fs::path recipe = workspace / "recipes" / "paper" / (name + ".yaml");
  const ProgramResult result =
      run_program({"run", recipe.string(), "--dry-run", "--json", "--device", "cpu"});
  require_success(result);
  Estimates estimates;
  const nlohmann::json printed = nlohmann::json::parse(result.out);
  for (const auto& row : printed.at("estimate").at("rows"))
    estimates[row.at("stage")] = row;
  return estimates;
}

void check_estimates(const PaperRecipe& recipe, const Estimates& estimates) {
  const nlohmann::json& tune = estimates.at("tune");
  // A thousandth: the estimate knows every bias and position embedding of the tower, the table above rounds.
  CHECK(tune.at("weights").get<double>() == Approx(recipe.tune_weights()).epsilon(1e-3));
  CHECK(tune.at("optimizer").get<double>() == 8 * recipe.trained());
  CHECK(tune.at("gradients").get<double>() == 4 * recipe.trained());
  CHECK(tune.at("peak").get<double>() > recipe.tune_weights());
  if (recipe.method == "qslaw") {
    CHECK(estimates.at("warmup").at("optimizer").get<double>() ==
          8 * (recipe.language().gamma + recipe.projector()));
  }
}

}  // namespace

TEST_CASE("the paper's recipes pass a dry run with the expected memory") {
  const TemporaryFolder workspace;
  if (!run_python(
          {std::string(QSLAW_SOURCE) + "/scripts/make_dry_run_workspace.py", workspace.path().string()}))
    return;
  std::map<std::string, Estimates> all;
  for (const PaperRecipe& recipe : all_recipes()) {
    INFO(recipe.name());
    all[recipe.name()] = dry_run(workspace.path(), recipe.name());
    check_estimates(recipe, all[recipe.name()]);
  }
  for (const auto& file : fs::directory_iterator(fs::path(QSLAW_SOURCE) / "recipes" / "paper")) {
    CHECK(all.count(file.path().stem().string()) == 1);  // a recipe that this test does not know
  }
  const auto tune = [&](const char* name, const char* what) {
    return all[name]["tune"].at(what).get<double>();
  };
  // The same adapters and tower: only the linears differ, by an exact number of bytes.
  CHECK(tune("scienceqa_13b_lora", "weights") - tune("scienceqa_13b_qslaw", "weights") ==
        2 * k13B.linears - (k13B.linears / 2 + 6 * k13B.groups));
  for (const char* task : {"scienceqa_13b_", "chat_13b_"}) {
    const std::string prefix = task;
    // The adapters, their optimizer and the activations are the same and take a good part of the packed run.
    CHECK(tune((prefix + "qslaw").c_str(), "peak") < 0.65 * tune((prefix + "lora").c_str(), "peak"));
    CHECK(tune((prefix + "lora").c_str(), "peak") < 0.35 * tune((prefix + "full").c_str(), "peak"));
  }
}

TEST_CASE("a random model in several files is read and runs") {
  const TemporaryFolder folder;
  std::vector<std::string> command = {std::string(QSLAW_SOURCE) + "/scripts/make_random_model.py", "llava",
                                      (folder.path() / "model").string()};
  // Small, with fewer key heads than heads, and too large for one file.
  for (const char* word :
       {"--width",        "64", "--ffn",           "96",   "--layers",       "2",  "--heads",       "4",
        "--kv-heads",     "2",  "--vocab",         "1280", "--vision-width", "32", "--vision-ffn",  "48",
        "--vision-heads", "4",  "--vision-layers", "3",    "--image-size",   "28", "--shard-bytes", "100000"})
    command.emplace_back(word);
  if (!run_python(command)) return;
  const fs::path recipe = folder.path() / "recipe.yaml";
  std::ofstream(recipe) << "name: random\noutput: out\nmodel: {path: model}\n"
                           "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n";
  require_success(run_program({"eval", recipe.string(), "--device", "cpu"}));
}
