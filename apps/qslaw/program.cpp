// The program behind the command line: the one place where its exceptions end.
#include "program.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <new>
#include <string_view>
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

// The first line of LibTorch's messages says what happened; the rest is a trace.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
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
