// A whole experiment on a model of a few thousand weights: model folder, data and recipe in a temporary
// folder.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.h"
#include "temporary_folder.h"

namespace qslaw {

/// Sections of a recipe over the experiment's files: see tiny_experiment.cpp for their sizes.
extern const std::string kQuantize, kWarmup, kTune, kEval, kExport;

class TinyExperiment {
 public:
  /// model/ (configuration and tokenizer; random weights), data/ (samples of the embedded example with their
  /// pictures). The program is to run with `threads` CPU threads.
  explicit TinyExperiment(int threads = 1);

  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path data(const std::string& name) const { return path() / "data" / name; }
  std::filesystem::path recipe() const { return path() / "recipe.yaml"; }
  std::filesystem::path output() const { return path() / "out"; }

  /// Name, seed, output and `model` in front of `sections`. `model` empty: model/ with random weights,
  /// float32.
  void write_recipe(const std::string& sections, const std::string& model = "") const;

  /// {command, recipe, CPU threads, more...}.
  std::vector<std::string> arguments(const std::string& command,
                                     const std::vector<std::string>& more = {}) const;
  ProgramResult run(const std::string& command, const std::vector<std::string>& more = {},
                    const ProgramLimits& limits = {}) const;

  /// Exports the random model, so that its weights lie in a folder, and returns that.
  std::filesystem::path model_with_weights() const;

 private:
  TemporaryFolder folder_;
  int threads_;
};

/// The bytes of a file, "" when there is none.
std::string file_bytes(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);
nlohmann::json json_file(const std::filesystem::path& path);
/// Cuts a picture's end off; its header stays sound.
void cut_picture(const std::filesystem::path& picture);
/// Makes its time of last change ten seconds later.
void touch(const std::filesystem::path& path);
/// Flips one bit of the byte at `position`, counted from the end.
void flip_bit(const std::filesystem::path& path, size_t position = 1);
/// Appends a line's end, which neither JSON nor a picture minds.
void change(const std::filesystem::path& path);

/// The lines of a stage's metrics.jsonl without what a clock or the memory decides.
std::vector<nlohmann::json> repeatable_metrics(const std::filesystem::path& stage);

/// Number of whole lines of a file, 0 when there is none.
int64_t count_lines(const std::filesystem::path& path);

/// Time of last change of every file below `folder`, by relative name.
std::map<std::string, std::filesystem::file_time_type> file_times(const std::filesystem::path& folder);

/// Equal bytes of each of the named files.
void require_same_files(const std::filesystem::path& actual, const std::filesystem::path& expected,
                        const std::vector<std::string>& names);

}  // namespace qslaw
