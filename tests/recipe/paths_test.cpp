// Which paths of a recipe must exist.
#include "recipe/paths.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "temporary_folder.h"

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
