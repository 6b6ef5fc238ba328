#include "recipe/recipe.h"

#include "core/key_error.h"
#include "recipe/check.h"
#include "recipe/field_reader.h"
#include "recipe/field_writer.h"
#include "recipe/fields.h"
#include "recipe/validate.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

YamlNode parse_with_overrides(const std::string& text, const fs::path& file,
                              const std::vector<std::string>& overrides) {
  YamlNode root = parse_recipe_text(text, file);
  for (const std::string& argument : overrides)
    apply_override(root, argument);
  return root;
}

// The place is that of the key, or of the section it lacks in.
[[noreturn]] void fail_at_place(const YamlNode& root, const KeyError& error) {
  fail_at(deepest_written(root, error.key()), error.key(), one_line(error.message(), 500));
}

template <class T>
std::string to_yaml(T value) {  // a copy: `fields` serves reading too, so it wants a value it could change
  YAML::Emitter out;
  FieldWriter(out).write(value);
  QSLAW_CHECK(out.good());
  return std::string(out.c_str()) + "\n";
}

template <class T>
std::string to_yaml(const std::optional<T>& section) {
  return section ? to_yaml(*section) : "";
}

}  // namespace

Recipe parse_recipe(const std::string& text, const fs::path& file,
                    const std::vector<std::string>& overrides) {
  const YamlNode root = parse_with_overrides(text, file, overrides);
  KeyNames known;
  Recipe recipe;
  fields(known, recipe);
  require_known_keys(root, "", known.names);
  std::vector<std::string> unused;
  FieldReader reader(root, "", unused);
  fields(reader, recipe);
  try {
    check(recipe);
  } catch (const KeyError& error) {
    fail_at_place(root, error);
  }
  if (!unused.empty()) fail("recipe", unused.front());
  recipe.file = fs::absolute(file).lexically_normal();
  recipe.model.source.seed = recipe.seed;
  return recipe;
}

void check_at_places(const std::string& text, const fs::path& file, const std::vector<std::string>& overrides,
                     const std::function<void()>& check) {
  try {
    check();
  } catch (const KeyError& error) {
    fail_at_place(parse_with_overrides(text, file, overrides), error);
  }
}

Recipe read_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  return parse_recipe(read_recipe_text(file), file, overrides);
}

std::string validate_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  const std::string text = read_recipe_text(file);
  parse_recipe(text, file, overrides);
  return text;
}

std::string recipe_yaml(const Recipe& recipe) {
  return to_yaml(recipe);
}

std::string section_yaml(const Recipe& recipe, const std::string& section) {
  if (section == "model") return to_yaml(recipe.model);
  if (section == "quantize") return to_yaml(recipe.quantize);
  if (section == "warmup") return to_yaml(recipe.warmup);
  if (section == "tune") return to_yaml(recipe.tune);
  if (section == "eval") return to_yaml(recipe.eval);
  QSLAW_CHECK(section == "export");
  return to_yaml(recipe.export_);
}

}  // namespace qslaw
