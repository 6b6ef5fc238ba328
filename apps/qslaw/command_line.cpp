#include "command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>
#include <vector>

#include "core/text.h"
#include "exit_codes.h"

namespace qslaw {
namespace {

struct Command {
  const char* name;
  const char* help;
  const char* example;
};

constexpr int kMaxThreads = 1024;
const char* const kPipe = "-";

// To add a command: a row here, a branch in program.cpp, its function in commands.h.
constexpr Command kCommands[] = {
    {"quantize", "pack the language model's weights into 8, 4, 3 or 2 bits (rtn, omniquant, nf4, absorbed)",
     "recipes/demo/w4.yaml --set quantize.bits=3 --out runs/demo_w3"},
    {"warmup", "learn the group-wise scales on mixed text and picture samples (QSLAW)",
     "recipes/demo/w4.yaml --resume"},
    {"tune", "tune adapters on the packed weights, or a dense model in full",
     "recipes/demo/lora16.yaml --device cpu --threads 4"},
    {"eval", "run the benchmarks (scienceqa, textvqa, vqav2, pope, loss, text_perplexity, speed, ...)",
     "recipes/demo/w4.yaml --json"},
    {"export", "write the result for other tools (hf, hf_base, peft)",
     "recipes/demo/w4.yaml --set export.dtype=bfloat16"},
    {"run", "all stages of the recipe, in this order, skipping what is complete",
     "recipes/demo/w4.yaml --dry-run"},
};

std::string thread_problem(const std::string& text) {
  int count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error == std::errc() && rest == end && count >= 1 && count <= kMaxThreads) return "";
  return concat("expected a whole number from 1 to ", kMaxThreads, ", got \"", text, "\"");
}

std::string share_problem(const std::string& text) {
  double share = 0.0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, share);
  if (error == std::errc() && rest == end && share > 0.0 && share <= 1.0) return "";
  return concat("expected a share above 0 and at most 1, got \"", text, "\"");
}

std::string device_problem(const std::string& name) {
  const std::string numbered = "cuda:";
  const std::string digits = name.starts_with(numbered) ? name.substr(numbered.size()) : "";
  const bool is_number =
      !digits.empty() && digits.size() <= 2 && digits.find_first_not_of("0123456789") == std::string::npos;
  if (is_number || name == "auto" || name == "cpu" || name == "cuda") return "";
  return "expected auto, cpu, cuda or cuda:N, got \"" + name + "\"";
}

// In front of the command and behind it.
void add_common_flags(CLI::App& app, CommandOptions& options) {
  app.add_flag("--json", options.json, "print one JSON object instead of tables");
  app.add_flag("-q,--quiet", options.quiet, "warnings only, no progress");
  app.add_option("--threads", options.threads, "CPU threads; default: all cores")->check(thread_problem);
}

void add_stage_flags(CLI::App& command, CommandOptions& options) {
  command.add_option("recipe", options.recipe, "the experiment's YAML file; -: standard input")->required();
  command.add_option("--set", options.overrides, "override a key of the recipe: key.sub=value")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  // Empty words: a shell variable that is not set. An empty folder would silently mean the recipe's own.
  command.add_option("--out", options.out, "output folder, instead of the recipe's")
      ->check(
          [](const std::string& name) { return name.empty() ? "expected a folder, got an empty name" : ""; });
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")
      ->check(device_problem)
      ->capture_default_str();
  CLI::Option* resume = command.add_flag("--resume", options.resume, "go on with a run that was stopped");
  command.add_flag("--restart", options.restart, "start over, whatever is there")->excludes(resume);
  CLI::Option* dry_run =
      command.add_flag("-n,--dry-run", options.dry_run,
                       "check everything, print the full recipe and estimates of memory, disk and time; "
                       "no stage is run");
  CLI::Option* all_samples =
      command
          .add_flag(
              "--all-samples", options.all_samples,
              "with --dry-run: look at every sample and decode every picture, not at about 500 and headers")
          ->needs(dry_run);
  command
      .add_option(
          "--check-share", options.check_share,
          "with --dry-run: look at this share of all samples (1: every one) and their pictures' headers")
      ->check(share_problem)
      ->needs(dry_run)
      ->excludes(all_samples);
}

// What CLI11 says of a command line without a known command does not name the unknown one.
std::string command_problem(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Command& command : kCommands)
    names.emplace_back(command.name);
  names.emplace_back(kReportCommand);
  const std::string got = words.empty() ? "none" : "\"" + words.front() + "\"";
  const std::string near = words.empty() ? "" : nearest_name(words.front(), names);
  return "expected one of the commands " + join(names) + ", got " + got +
         (near.empty() ? "" : "; did you mean \"" + near + "\"?");
}

// The flag that an unknown word is like, as a whole or, as with "--dry", as far as the word goes; "" when
// none.
std::string near_flag(const std::string& word, const std::vector<std::string>& flags) {
  const std::string near = nearest_name(word, flags);
  if (!near.empty()) return near;
  std::vector<std::string> beginnings;
  for (const std::string& flag : flags)
    beginnings.push_back(flag.substr(0, word.size()));
  const auto begins = std::find(beginnings.begin(), beginnings.end(), nearest_name(word, beginnings));
  return begins == beginnings.end() ? "" : flags[static_cast<size_t>(begins - beginnings.begin())];
}

// "; did you mean ...?" for the first unknown flag that is like one of the command's.
std::string flag_hint(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  std::vector<std::string> flags;
  for (const CLI::Option* option : (commands.empty() ? &app : commands.front())->get_options()) {
    for (const std::string& name : option->get_lnames())
      flags.push_back("--" + name);
  }
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    const std::string near = word.starts_with("--") ? near_flag(word.substr(0, word.find('=')), flags) : "";
    if (!near.empty()) return "; did you mean \"" + near + "\"?";
  }
  return "";
}

int complain_of_command_line(const CLI::App& app, const CLI::ParseError& error) {
  const bool no_command =
      app.get_subcommands().empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const std::string problem = no_command ? command_problem(app.remaining()) : error.what() + flag_hint(app);
  return complain("[command line] " + problem + " (see qslaw --help)", kUserError);
}

std::string footer(const std::string& example) {
  return "Example:\n  qslaw " + example +
         "\n\nExit codes: 0 done, 2 mistake in recipe, files or data, 1 bug or another failure inside the "
         "program, 75 stopped on request (go on with --resume).";
}

CLI::App& add_command(CLI::App& app, const Command& command, CommandOptions& options) {
  CLI::App& added = *app.add_subcommand(command.name, command.help);
  added.footer(footer(concat(command.name, " ", command.example)));
  add_common_flags(added, options);
  return added;
}

void add_options(CLI::App& app, CommandOptions& options) {
  app.footer(footer("run recipes/demo/w4.yaml"));
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(QSLAW_VERSION));
  add_common_flags(app, options);
  for (const Command& command : kCommands)
    add_stage_flags(add_command(app, command, options), options);
  CLI::App& report = add_command(app,
                                 {kReportCommand, "write the HTML page of a run, or compare several",
                                  "runs/demo_w4 runs/demo_w3 --out runs/comparison.html"},
                                 options);
  report.add_option("folders", options.folders, "output folders of runs")->required();
  report.add_option("--out", options.out, "the page to write (default: report.html in the first folder)");
}

}  // namespace

bool read_command_line(int argc, char** argv, CommandOptions& options, int& exit_code) {
  CLI::App app("qslaw: quantize, warm up, tune, evaluate and export vision-language models on little memory");
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    exit_code = app.exit(success);
    return false;
  } catch (const CLI::ParseError& error) {
    exit_code = complain_of_command_line(app, error);
    return false;
  }
  options.command = app.get_subcommands().front()->get_name();
  if (options.recipe == kPipe) options.recipe = "/dev/stdin";
  return true;
}

}  // namespace qslaw
