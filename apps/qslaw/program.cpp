// The program behind the command line: the one place where its exceptions end.
#include "program.h"

#include <ATen/Parallel.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <system_error>

#include "commands.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "exit_codes.h"
#include "kernels/tensor_memory.h"
#include "recipe/recipe.h"
#include "refused_memory.h"

namespace qslaw {
namespace {

void run_command(const CommandOptions& options) {
  if (stop_requested()) throw Stopped("stopped before anything was done");
  if (options.command == kReportCommand) return command_report(options);
  check_at_places(options.recipe_text, options.recipe, options.overrides, [&options] {
    const std::string stage = options.command == "run" ? "" : options.command;
    if (options.dry_run) return command_dry_run(options, stage);
    if (options.command == "run") return command_run(options);
    command_stage(options, stage);
  });
}

int guarded(const std::function<void()>& work) {
  try {
    work();
    return 0;
  } catch (const UserError& error) {
    return complain(error.what(), kUserError);
  } catch (const Stopped& error) {
    clear_progress_line();
    std::cerr << error.what() << std::endl;
    return kStopped;
  } catch (const std::filesystem::filesystem_error& error) {
    return complain("[files] cannot use " + error.path1().string() + ": " + error.code().message(),
                    kUserError);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again)
      return complain("[internal] " + std::string(error.what()), kBug);
    return complain("[memory] expected to start another thread, got: " + error.code().message() +
                        "; there is not enough memory, or a limit (ulimit -v, ulimit -u)",
                    kUserError);
  } catch (const std::exception& error) {
    // Outside a stage, of which more is known (refused_memory.h).
    if (const auto refused = refused_memory(error))
      return complain("[memory] " + *refused + kMemoryRemedies, kUserError);
    return complain("[internal] " + std::string(error.what()), kBug);
  }
}

}  // namespace
}  // namespace qslaw

const char* qslaw_program_build() {
  return QSLAW_BUILD;
}

int qslaw_run_program(const qslaw::CommandOptions& options, qslaw::StopFlag& stop_flag) {
  qslaw::use_stop_flag(stop_flag);
  qslaw::set_quiet(options.quiet);
  qslaw::set_progress_hidden(options.quiet);
  qslaw::prepare_cpu();
  qslaw::use_tensor_memory();
  const int code = qslaw::guarded([&] {
    if (options.threads > 0) at::set_num_threads(options.threads);
    qslaw::run_command(options);
  });
  return qslaw::after_output(code);
}
