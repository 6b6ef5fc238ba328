// Which paths of a recipe must exist.
#include "recipe/paths.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

TEST_CASE("paths: a missing file is named with its key, of the chosen sections only") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "there.json") << "[]";
  std::ofstream(folder.path() / "recipe.yaml") << R"(
name: paths
output: out
model: {path: nowhere}
quantize: {method: omniquant, calibration: {kind: mix, text: {kind: text, path: there.json}, pictures: {kind: llava, path: no_captions.json, images: .}}}
warmup: {phases: [{pictures: {kind: llava, path: there.json, images: .}}, {pictures: {kind: llava, path: there.json, images: no_folder}}]}
tune: {data: {kind: llava, path: there.json, images: .}}
eval: {benchmarks: [{kind: loss, path: there.json, images: .}, {kind: scienceqa, problems: no_problems.json, splits: there.json, images: .}]}
export: {formats: [hf]}
)";
  const Recipe recipe = read_recipe(folder.path() / "recipe.yaml");
  const auto missing = [&](const std::vector<std::string>& sections, const std::string& name,
                           const std::string& key) {
    CHECK_THROWS_WITH(
        require_paths_exist(recipe, sections),
        Catch::Contains((folder.path() / name).string()) && Catch::Contains("key " + key + ")"));
  };
  missing({"quantize"}, "no_captions.json", "quantize.calibration.pictures.path");
  missing({"warmup"}, "no_folder", "warmup.phases.1.pictures.images");
  missing({"tune", "eval"}, "no_problems.json", "eval.benchmarks.1.problems");
  missing({"model"}, "nowhere", "model.path");
  CHECK_NOTHROW(require_paths_exist(recipe, {"tune", "export"}));
  std::ofstream(folder.path() / "there.json");
  missing({"tune"}, "there.json", "tune.data.path");
}

TEST_CASE("paths: a file is no folder of pictures") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "there.json") << "[]";
  std::ofstream(folder.path() / "recipe.yaml") << R"(
name: paths
output: out
model: {path: .}
tune: {data: {kind: llava, path: there.json, images: there.json}}
eval: {benchmarks: [{kind: pope, path: there.json, images: there.json}]}
)";
  const Recipe recipe = read_recipe(folder.path() / "recipe.yaml");
  const std::string file = (folder.path() / "there.json").string();
  CHECK_THROWS_WITH(require_paths_exist(recipe, {"tune"}),
                    "[recipe] expected a folder, got a file: " + file + " (key tune.data.images)");
  CHECK_THROWS_WITH(require_paths_exist(recipe, {"eval"}), Catch::Contains("(key eval.benchmarks.0.images)"));
}

TEST_CASE("paths: a folder is no file of data, but may hold a benchmark's") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "there.json") << "[]";
  const auto refusal = [&](const std::string& section, const std::string& text) -> std::string {
    std::ofstream(folder.path() / "recipe.yaml") << "name: paths\noutput: out\nmodel: {path: .}\n" << text;
    try {
      require_paths_exist(read_recipe(folder.path() / "recipe.yaml"), {section});
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  const std::string got = "[recipe] expected a file, got a folder: " + folder.path().string() + " (key ";
  CHECK(refusal("tune", "tune: {data: {kind: llava, path: ., images: .}}\n") == got + "tune.data.path)");
  CHECK(refusal("eval", "eval: {benchmarks: [{kind: speed}, {kind: loss, path: ., images: .}]}\n") ==
        got + "eval.benchmarks.1.path)");
  CHECK(refusal("eval",
                "eval: {benchmarks: [{kind: scienceqa, problems: there.json, splits: ., images: .}]}\n") ==
        got + "eval.benchmarks.0.splits)");
  CHECK(refusal("eval", "eval: {benchmarks: [{kind: mme, path: ., images: .}]}\n").empty());
}

TEST_CASE("paths: a model is a folder with its configuration") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "base");
  std::ofstream(folder.path() / "weights.bin") << "weights";
  const auto with_model = [&](const std::string& model) {
    std::ofstream(folder.path() / "recipe.yaml")
        << "name: paths\noutput: out\nmodel: " << model << "\nexport: {formats: [hf]}\n";
    return read_recipe(folder.path() / "recipe.yaml");
  };
  const std::string expected = "[recipe] expected a folder with config.json, got ";
  const std::string base = (folder.path() / "base").string();
  CHECK_THROWS_WITH(require_paths_exist(with_model("{path: base}"), {"model"}),
                    expected + "one without: " + base + " (key model.path)");
  CHECK_THROWS_WITH(require_paths_exist(with_model("{path: weights.bin}"), {"model"}),
                    expected + "a file: " + (folder.path() / "weights.bin").string() + " (key model.path)");
  std::ofstream(folder.path() / "base" / "config.json") << "{}";
  CHECK_NOTHROW(require_paths_exist(with_model("{path: base}"), {"model"}));
  CHECK_THROWS_WITH(require_paths_exist(with_model("{language: base, vision: weights.bin}"), {"model"}),
                    expected + "a file: " + (folder.path() / "weights.bin").string() + " (key model.vision)");
}

TEST_CASE("paths: a section's are listed by their keys, the model's too") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "recipe.yaml") << R"(
name: paths
output: out
model: {path: base, stages: [first, second]}
eval: {benchmarks: [{kind: speed}, {kind: loss, path: a.json, images: pictures}]}
)";
  const Recipe recipe = read_recipe(folder.path() / "recipe.yaml");
  const auto listed = [&](const std::string& section) {
    std::vector<std::string> lines;
    for (const auto& [key, path] : section_paths(recipe, section))
      lines.push_back(key + " " + path.lexically_relative(folder.path()).string());
    return lines;
  };
  using Lines = std::vector<std::string>;
  CHECK(listed("model") == Lines{"model.path base", "model.stages.0 first", "model.stages.1 second"});
  CHECK(listed("eval") == Lines{"eval.benchmarks.1.path a.json", "eval.benchmarks.1.images pictures"});
  CHECK(listed("tune").empty());
}
