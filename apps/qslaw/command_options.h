// What the command line says, the same for every command.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

/// It takes folders of finished runs; every other command takes a recipe.
inline constexpr const char* kReportCommand = "report";

struct CommandOptions {
  std::string command;  // "quantize", ..., "run", "report"
  std::filesystem::path recipe;
  std::string recipe_text;                     // the recipe's bytes, read once
  std::vector<std::filesystem::path> folders;  // report: finished runs
  std::vector<std::string> overrides;          // --set key.sub=value
  std::filesystem::path out;                   // --out: instead of the recipe's output; report: the page
  std::string device = "auto";                 // auto | cpu | cuda | cuda:N, N of one or two digits
  int threads = 0;                             // --threads; 0: all cores
  bool resume = false;
  bool restart = false;
  bool dry_run = false;
  bool all_samples = false;  // only beside dry_run
  double check_share = 0.0;  // --check-share, above 0 to 1, only beside dry_run; 0: not given
  bool json = false;
  bool quiet = false;
};

}  // namespace qslaw
