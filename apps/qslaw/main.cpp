// The executable: command line and recipe are read here, and only then LibTorch is loaded, with the library
// that holds everything else. Loading takes a third of a second, too long for --help or a misspelled key.
#include <dlfcn.h>

#include <exception>
#include <new>

#include "command_line.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/library_path.h"
#include "exit_codes.h"
#include "program.h"
#include "recipe/validate.h"

namespace qslaw {
namespace {

template <typename Function>
Function find(void* library, const char* name) {
  const auto found = reinterpret_cast<Function>(dlsym(library, name));
  require(found != nullptr, "program", "expected ", name, " in ", kProgramLibrary, ", got none");
  return found;
}

decltype(&qslaw_run_program) load_program() {
  const auto path = library_path(kProgramLibrary);
  void* library =
      dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);  // LibTorch's CUDA side wants its symbols global
  require(library != nullptr, "program", "expected to load ", kProgramLibrary,
          " from beside the program or its ../lib, got: ", library ? "" : dlerror());
  const std::string build = find<decltype(&qslaw_program_build)>(library, kBuildSymbol)();
  require(build == QSLAW_BUILD, "program", "expected ", path.string(), " of build ", QSLAW_BUILD,
          ", got one of ", build);
  return find<decltype(&qslaw_run_program)>(library, kProgramSymbol);
}

int run(CommandOptions& options) {
  try {
    if (options.command != kReportCommand)
      options.recipe_text = validate_recipe(options.recipe, options.overrides);
    // Not earlier: a recipe that comes through a pipe may be waited for in vain.
    StopFlag& stop_flag = watch_for_stop_signals();
    return load_program()(options, stop_flag);
  } catch (const UserError& error) {
    return complain(error.what(), kUserError);
  } catch (const std::bad_alloc&) {
    return complain(kHostMemory, kUserError);
  } catch (const std::exception& error) {
    return complain(std::string("[internal] ") + error.what(), kBug);
  }
}

}  // namespace
}  // namespace qslaw

int main(int argc, char** argv) {
  qslaw::hold_standard_streams();
  qslaw::ignore_write_signals();
  qslaw::report_refused_memory();
  qslaw::CommandOptions options;
  int exit_code = 0;
  if (!qslaw::read_command_line(argc, argv, options, exit_code)) return qslaw::after_output(exit_code);
  return qslaw::run(options);
}
