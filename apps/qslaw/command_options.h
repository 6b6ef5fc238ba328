// What the command line says, the same for every command.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

struct CommandOptions {
  std::filesystem::path recipe;
  std::vector<std::filesystem::path> folders;  // report: finished runs
  std::vector<std::string> overrides;          // --set key.sub=value
  std::filesystem::path out;                   // --out: instead of the recipe's output; report: the page
  std::string device = "auto";                 // auto | cpu | cuda | cuda:N
  bool resume = false;
  bool restart = false;
  bool dry_run = false;
  bool json = false;
};

}  // namespace qslaw
