// The command line: a table of commands, the one place where exceptions end, the exit codes.
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <new>
#include <string_view>

#include "commands.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/text.h"
#include "experiment.h"

namespace {

using qslaw::CommandOptions;

constexpr int kUserError = 2, kBug = 1, kStopped = 75;

constexpr const char* kHostMemory =
    "[memory] not enough host memory; try smaller numbers in the recipe (micro_batch_size, rank), "
    "checkpointing: true, "
    "or fewer bits; --dry-run estimates what each stage needs";

struct Command {
  const char* name;
  const char* help;
};

// To add a command: a row here, a branch in run_command, its function in commands.h.
constexpr Command kCommands[] = {
    {"quantize", "pack the language model's weights into 8, 4, 3 or 2 bits (rtn, omniquant, nf4)"},
    {"warmup", "learn the group-wise scales on mixed text and picture samples (QSLAW)"},
    {"tune", "tune adapters on the packed weights, or a dense model in full"},
    {"eval", "run the benchmarks (scienceqa, exact_match, loss, text_perplexity, speed)"},
    {"export", "write the result for other tools (hf, hf_base, peft)"},
    {"run", "all stages of the recipe, in this order, skipping what is complete"},
};

// It takes folders instead of a recipe, so it is no row above.
constexpr const char* kReport = "report";

void add_stage_flags(CLI::App& command, CommandOptions& options) {
  command.add_option("recipe", options.recipe, "the experiment's YAML file")->required();
  command.add_option("--set", options.overrides, "override a key of the recipe: key.sub=value")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  // An empty name (a shell variable that is not set) would silently mean the recipe's own folder.
  command.add_option("--out", options.out, "output folder, instead of the recipe's")
      ->check(
          [](const std::string& name) { return name.empty() ? "expected a folder, got an empty name" : ""; });
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  CLI::Option* resume = command.add_flag("--resume", options.resume, "go on with a run that was stopped");
  command.add_flag("--restart", options.restart, "start over, whatever is there")->excludes(resume);
  command.add_flag("-n,--dry-run", options.dry_run,
                   "check everything, print the full recipe and memory estimates, compute nothing");
}

void run_command(const std::string& name, const CommandOptions& options) {
  if (name == kReport) return qslaw::command_report(options);
  const std::string stage = name == "run" ? "" : name;
  if (options.dry_run) return qslaw::command_dry_run(options, stage);
  if (name == "run") return qslaw::command_run(options);
  qslaw::command_stage(options, stage);
}

int complain(const std::string& message, int code) {
  qslaw::clear_progress_line();
  std::cerr << "error: " << message << std::endl;
  return code;
}

// What CLI11 says of a command line without a known command does not name the unknown one.
std::string command_problem(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Command& command : kCommands)
    names.emplace_back(command.name);
  names.emplace_back(kReport);
  const std::string got = words.empty() ? "none" : "\"" + words.front() + "\"";
  const std::string near = words.empty() ? "" : qslaw::nearest_name(words.front(), names);
  return "expected one of the commands " + qslaw::join(names) + ", got " + got +
         (near.empty() ? "" : "; did you mean \"" + near + "\"?");
}

int complain_of_command_line(const CLI::App& app, const CLI::ParseError& error) {
  const bool no_command =
      app.get_subcommands().empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const std::string problem = no_command ? command_problem(app.remaining()) : error.what();
  return complain("[command line] " + problem + " (see qslaw --help)", kUserError);
}

// The first line of LibTorch's messages says what happened; the rest is a trace.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

int guarded(const std::function<void()>& work) {
  try {
    work();
    return 0;
  } catch (const qslaw::UserError& error) {
    return complain(error.what(), kUserError);
  } catch (const qslaw::Stopped& error) {
    qslaw::clear_progress_line();
    std::cerr << error.what() << std::endl;
    return kStopped;
  } catch (const c10::OutOfMemoryError& error) {
    return complain("[memory] not enough device memory: " + first_line(error.what_without_backtrace()) +
                        "; try a smaller micro_batch_size, checkpointing: true, or fewer bits",
                    kUserError);
  } catch (const std::bad_alloc&) {
    return complain(kHostMemory, kUserError);
  } catch (const c10::Error& error) {
    // LibTorch's CPU allocator has no exception of its own.
    if (std::string_view(error.what_without_backtrace()).find("can't allocate memory") !=
        std::string_view::npos)
      return complain(kHostMemory, kUserError);
    return complain("[internal] " + std::string(error.what()), kBug);
  } catch (const std::exception& error) {
    return complain("[internal] " + std::string(error.what()), kBug);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("qslaw: quantize, warm up, tune, evaluate and export vision-language models on little memory");
  app.footer(
      "Example:\n  qslaw run recipes/demo/w4.yaml\n\n"
      "Exit codes: 0 done, 2 mistake in recipe, files or data, 1 bug or another failure inside the program, "
      "75 stopped on request (go on with --resume).");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", std::string(QSLAW_VERSION));
  CommandOptions options;
  bool quiet = false;
  int threads = 0;
  app.add_flag("--json", options.json, "print one JSON object instead of tables");
  app.add_flag("-q,--quiet", quiet, "warnings only, no progress");
  app.add_option("--threads", threads, "CPU threads; default: all cores")->check(CLI::Range(1, 1024));
  for (const Command& command : kCommands)
    add_stage_flags(*app.add_subcommand(command.name, command.help), options);
  CLI::App& report = *app.add_subcommand(kReport, "write the HTML page of a run, or compare several");
  report.add_option("folders", options.folders, "output folders of runs")->required();
  report.add_option("--out", options.out, "the page to write (default: report.html in the first folder)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return complain_of_command_line(app, error);
  }
  qslaw::set_quiet(quiet);
  qslaw::set_progress_hidden(quiet);
  qslaw::prepare_cpu();
  qslaw::watch_for_stop_signals();
  return guarded([&] {
    if (threads > 0) at::set_num_threads(threads);
    run_command(app.get_subcommands().front()->get_name(), options);
  });
}
