#include "recipe/paths.h"

#include <algorithm>

#include "recipe/field_reader.h"
#include "recipe/fields.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

/// The visitor (see fields.h) that looks at every path that is set.
class PathCheck {
 public:
  static constexpr bool kReads = false;
  PathCheck(std::string key, const fs::path& recipe) : key_(std::move(key)), recipe_(recipe) {}

  template <class T>
  void operator()(const char* name, T&& value, const Use& use = {}) {
    if (use.allowed) visit(join_key(key_, name), value);
  }

  template <HasFields T>
  void visit(const std::string& key, T& value) const {
    PathCheck below(key, recipe_);
    fields(below, value);
  }

  template <class T>
  void visit(const std::string& key, std::optional<T>& value) const {
    if (value) visit(key, *value);
  }

 private:
  template <class T>
  void visit(const std::string& key, std::vector<T>& list) const {
    for (size_t i = 0; i < list.size(); ++i)
      visit(join_key(key, std::to_string(i)), list[i]);
  }

  void visit(const std::string& key, const fs::path& path) const {
    std::error_code unreachable;
    require(path.empty() || fs::exists(path, unreachable), "recipe",
            "expected a file or folder that exists, got ", path.string(), " (", recipe_.string(), ", key ",
            key, ")");
  }

  template <class T>
  void visit(const std::string&, const T&) const {}  // no path

  std::string key_;
  const fs::path& recipe_;
};

}  // namespace

void require_paths_exist(const Recipe& recipe, const std::vector<std::string>& sections) {
  const PathCheck check("", recipe.file);
  Recipe copy = recipe;  // `fields` serves reading too, so it wants a value it could change
  const auto look = [&](const char* name, auto& section) {
    if (std::find(sections.begin(), sections.end(), name) != sections.end()) check.visit(name, section);
  };
  look("quantize", copy.quantize);
  look("warmup", copy.warmup);
  look("tune", copy.tune);
  look("eval", copy.eval);
  look("export", copy.export_);
}

}  // namespace qslaw
