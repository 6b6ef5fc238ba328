// A recipe in a folder of its own, for tests.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "recipe/recipe.h"

struct RecipeFile {
  explicit RecipeFile(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "qslaw_recipe_XXXXXX").string();
    QSLAW_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder = std::filesystem::canonical(pattern);
    path = folder / "recipe.yaml";
    std::ofstream(path, std::ios::binary) << text;
  }
  ~RecipeFile() { std::filesystem::remove_all(folder); }
  RecipeFile(const RecipeFile&) = delete;
  RecipeFile& operator=(const RecipeFile&) = delete;

  std::filesystem::path folder, path;
};

inline qslaw::Recipe read_text(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const RecipeFile file(text);
  return qslaw::read_recipe(file.path, overrides);
}

/// The error's text with the folder of the file taken out: "[recipe] expected ... (recipe.yaml, line 3, key
/// a.b)".
inline std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const RecipeFile file(text);
  try {
    qslaw::read_recipe(file.path, overrides);
  } catch (const qslaw::UserError& error) {
    std::string message = error.what();
    const std::string prefix = file.folder.string() + "/";
    for (size_t at = message.find(prefix); at != std::string::npos; at = message.find(prefix))
      message.erase(at, prefix.size());
    return message;
  }
  return "no error";
}

/// The least a recipe needs; sections are appended. It has 4 lines.
inline const std::string kHead = "name: tiny\noutput: out\nmodel:\n  path: base\n";
