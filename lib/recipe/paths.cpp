#include "recipe/paths.h"

#include "core/key_error.h"
#include "recipe/field_reader.h"
#include "recipe/fields.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

/// The visitor (see fields.h) that collects every path that is set.
class PathList {
 public:
  static constexpr bool kReads = false;
  PathList(std::string key, std::vector<NamedPath>& paths) : key_(std::move(key)), paths_(paths) {}

  template <class T>
  void operator()(const char* name, T&& value, const Use& use = {}) {
    if (use.allowed) visit(join_key(key_, name), value);
  }

  template <HasFields T>
  void visit(const std::string& key, T& value) const {
    PathList below(key, paths_);
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
    if (!path.empty()) paths_.push_back({key, path});
  }

  template <class T>
  void visit(const std::string&, const T&) const {}  // no path

  std::string key_;
  std::vector<NamedPath>& paths_;
};

/// Whether a key of data names one file. In the eval section the kinds with a data set do; of the others
/// pope and mme take a folder.
bool must_be_file(const Recipe& recipe, const std::string& section, const std::string& key) {
  if (key.ends_with(".problems") || key.ends_with(".splits")) return true;
  if (!key.ends_with(".path") || section == "model") return false;
  if (section != "eval") return true;
  return has_data(recipe.eval->benchmarks.at(std::stoul(split_key(key).at(2))));
}

bool is_model_folder(const std::string& key) {
  return key == "model.path" || key == "model.language" || key == "model.vision";
}

void require_model_folder(const NamedPath& named, bool is_file) {
  require_key(!is_file, named.key, "expected a folder with config.json, got a file: ", named.path.string());
  std::error_code unreachable;  // told when it is read
  const fs::file_status config = fs::status(named.path / "config.json", unreachable);
  require_key(config.type() != fs::file_type::not_found, named.key,
              "expected a folder with config.json, got one without: ", named.path.string());
}

void require_usable(const NamedPath& named, bool file_only) {
  std::error_code unreachable;
  require_key(fs::exists(named.path, unreachable), named.key, "expected a file or folder that exists, got ",
              named.path.string());
  const bool is_file = fs::is_regular_file(named.path, unreachable);
  require_key(is_file || fs::is_directory(named.path, unreachable), named.key,
              "expected a file or folder, got a pipe, socket or device: ", named.path.string());
  require_key(is_file || !file_only, named.key, "expected a file, got a folder: ", named.path.string());
  require_key(!is_file || !named.key.ends_with(".images"), named.key,
              "expected a folder, got a file: ", named.path.string());
  if (is_model_folder(named.key)) require_model_folder(named, is_file);
  require_key(!is_file || fs::file_size(named.path, unreachable) > 0, named.key,
              "expected a file that holds something, got an empty one: ", named.path.string());
}

}  // namespace

std::vector<NamedPath> section_paths(const Recipe& recipe, const std::string& section) {
  std::vector<NamedPath> paths;
  const PathList list("", paths);
  Recipe copy = recipe;  // `fields` serves reading too, so it wants a value it could change
  const auto look = [&](const char* name, auto& options) {
    if (section == name) list.visit(name, options);
  };
  look("model", copy.model);
  look("quantize", copy.quantize);
  look("warmup", copy.warmup);
  look("tune", copy.tune);
  look("eval", copy.eval);
  look("export", copy.export_);
  return paths;
}

void require_paths_exist(const Recipe& recipe, const std::vector<std::string>& sections) {
  for (const std::string& section : sections) {
    for (const NamedPath& named : section_paths(recipe, section)) {
      if (named.key.starts_with("model.stages.")) continue;
      require_usable(named, must_be_file(recipe, section, named.key));
    }
  }
}

}  // namespace qslaw
