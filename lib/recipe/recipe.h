// One YAML file describes one experiment (docs/recipes.md). This is its checked form.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/image_transform.h"
#include "eval/options.h"
#include "export/options.h"
#include "model/load.h"
#include "quant/options.h"
#include "train/options.h"

namespace qslaw {

struct ModelOptions {
  ModelSource source;
  std::string dtype = "bfloat16";  // of frozen weights and activations: bfloat16 | float16 | float32
  std::string template_name = "vicuna_v1";
  std::string image_aspect = "";  // pad | square; default: as preprocessor_config.json or config.json says
  /// Finished stage folders of other runs, applied in order before this recipe's own stages (a packed
  /// language model from `quantize` or `warmup`, a projector, an adapter).
  std::vector<std::filesystem::path> stages;
  /// LoRA folder of PEFT or LLaVA that tune begins with, and that eval and export put on the model. On what
  /// quantize and warmup leave, which do not look at it.
  std::filesystem::path adapter;
};

struct Recipe {
  std::string name;
  uint64_t seed = 42;
  std::filesystem::path output;
  ModelOptions model;
  std::optional<QuantizeOptions> quantize;
  std::optional<WarmupOptions> warmup;
  std::optional<TuneOptions> tune;
  std::optional<EvalOptions> eval;
  std::optional<ExportOptions> export_;
  std::filesystem::path file;  // where it was read from
};

/// Reads, applies overrides ("warmup.first_layer=2", "tune.data.path=x.json"; lists by index:
/// "warmup.phases.0.epochs=2"), fills defaults, resolves relative paths against the recipe's folder
/// (overrides, and a recipe that comes through a pipe: the current folder), and checks. UserError names file,
/// line and key; an unknown key is answered with the nearest known one.
Recipe read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// The same of a file's bytes: a pipe can be read only once, and a file may change in between.
Recipe parse_recipe(const std::string& text, const std::filesystem::path& file,
                    const std::vector<std::string>& overrides);

/// Runs a check that knows neither file nor line: its KeyError becomes a UserError that also names where this
/// recipe (or override) says what the key is.
void check_at_places(const std::string& text, const std::filesystem::path& file,
                     const std::vector<std::string>& overrides, const std::function<void()>& check);

/// The complete recipe, defaults included, as YAML that read_recipe accepts.
std::string recipe_yaml(const Recipe& recipe);

/// One section ("quantize", "warmup", ...; "model") of it, for fingerprints and stage folders.
std::string section_yaml(const Recipe& recipe, const std::string& section);

}  // namespace qslaw
