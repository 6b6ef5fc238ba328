#include "refused_memory.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <string_view>

#include "core/error.h"
#include "core/progress.h"
#include "estimate_table.h"
#include "recipe/memory_parts.h"

namespace qslaw {
namespace {

// The first line of LibTorch's messages says what happened; the rest is a trace.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string remedies(const Experiment& experiment, const StageNeeds& needs) {
  std::string text;
  int number = 0;
  for (const MemoryPart& part : memory_parts(experiment.recipe, needs.stage, needs.memory)) {
    if (part.keys.empty()) continue;
    text += concat("(", ++number, ") ", part.name, ", ", format_bytes(part.bytes), ": ", part.keys, "; ");
  }
  return concat(text, "(", ++number, ") ",
                experiment.device.is_cpu() ? "a machine with more memory, or a higher limit where one is set "
                                             "(ulimit -v, a control group)"
                                           : "a device with more memory, or one that no other process uses");
}

}  // namespace

std::optional<std::string> refused_memory(const std::exception& error) {
  if (const auto* device = dynamic_cast<const c10::OutOfMemoryError*>(&error))
    return "not enough device memory: " + first_line(device->what_without_backtrace());
  // LibTorch's CPU allocator has no exception of its own.
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  const bool host =
      dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
      // oneDNN's words, whose shapes are always ones that it has: what it was refused is memory for code.
      std::string_view(error.what()) == "could not create a primitive" ||
      (torch != nullptr && std::string_view(torch->what_without_backtrace()).find("can't allocate memory") !=
                               std::string_view::npos);
  if (!host) return std::nullopt;
  return "not enough host memory";
}

void fail_for_memory(const Experiment& experiment, const std::vector<StageNeeds>& needs,
                     const std::string& stage, const std::string& refused) {
  const auto found = std::find_if(needs.begin(), needs.end(),
                                  [&](const StageNeeds& candidate) { return candidate.stage == stage; });
  if (found == needs.end()) return;
  clear_progress_line();
  std::cerr << table_text(estimate_table(experiment, {*found}, {}));
  fail("memory", refused, "; ", stage, " was estimated to need ", format_bytes(found->memory.total()),
       "; what lowers it: ", remedies(experiment, *found));
}

}  // namespace qslaw
