#include "stage_inputs.h"

#include <algorithm>
#include <sstream>

#include "core/files.h"
#include "core/text.h"
#include "report/stage_report.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// "path size time" of a file, or of every file directly in a folder.
void describe_path(const fs::path& path, std::string& out) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files)
      describe_path(file, out);
  } else if (fs::is_regular_file(path, ignored)) {
    out += concat(path.string(), " ", fs::file_size(path), " ",
                  fs::last_write_time(path).time_since_epoch().count(), "\n");
  }
}

// Paths in a section's YAML are absolute: every token that names something on disk is an input.
void describe_inputs(const std::string& yaml, std::string& out) {
  size_t begin = 0;
  while ((begin = yaml.find('/', begin)) != std::string::npos) {
    size_t end = yaml.find_first_of("\"'\n", begin);
    if (end == std::string::npos) end = yaml.size();
    describe_path(yaml.substr(begin, end - begin), out);
    begin = end;
  }
}

// A line of stage_inputs as a message names it: a file without its size and time.
std::string input_name(const std::string& line) {
  if (line[0] == '/') return line.substr(0, line.rfind(' ', line.rfind(' ') - 1));
  return line.substr(std::min(line.find_first_not_of(" -"), line.size()));
}

}  // namespace

std::string stage_inputs(const Experiment& experiment, const std::string& stage) {
  std::string inputs =
      concat("version 1\nseed ", experiment.recipe.seed, "\ndevice ", experiment.device.type(), "\n");
  for (const std::string& section : {std::string("model"), stage}) {
    const std::string yaml = section_yaml(experiment.recipe, section);
    inputs += yaml + "\n";
    describe_inputs(yaml, inputs);
  }
  for (const std::string& before : experiment.base_stages(stage)) {
    if (!is_stage_complete(experiment.folder(before))) continue;
    for (const auto& [file, hash] : read_stage_report(experiment.folder(before)).files)
      inputs += file + " " + hash + "\n";
  }
  return inputs;
}

std::string changed_input(const fs::path& folder, const std::string& inputs) {
  const std::string begun = read_file(folder / kInputsFile);
  if (begun == inputs) return "";
  std::istringstream before(begun), now(inputs);
  std::string was, is;
  do {
    was = is = "nothing";
    std::getline(before, was);
    std::getline(now, is);
  } while (was == is);
  const bool is_file = is[0] == '/';
  return concat(is_file ? "the changed file " : "", input_name(is), is_file ? "" : " for " + input_name(was));
}

}  // namespace qslaw
