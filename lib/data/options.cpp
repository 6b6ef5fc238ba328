#include "data/options.h"

#include "core/key_error.h"
#include "data/conversation.h"
#include "data/text_windows.h"

namespace qslaw {
namespace {

void require_path(const std::filesystem::path& path, const DataOptions& options, const std::string& key,
                  const char* name) {
  require_key(!path.empty(), key + "." + name, "expected a path for kind ", options.kind, ", got none");
}

}  // namespace

void check(const DataOptions& options, const std::string& key) {
  require_one_of(key + ".kind", options.kind, {"llava", "text", "scienceqa"});
  if (options.kind == "scienceqa") {
    require_path(options.problems, options, key, "problems");
    require_path(options.splits, options, key, "splits");
    require_key(!options.split.empty(), key + ".split", "expected the name of a split, got \"\"");
    require_one_of(key + ".prompt_format", options.prompt_format, {"QCM-LEA", "CQM-A"});
  } else {
    require_path(options.path, options, key, "path");
  }
  require_at_least(key + ".limit", options.limit, 0);
  require_between(key + ".max_length", options.max_length, 2,
                  kMaxTokens);  // one token to read, one to predict
  if (options.kind == "text") require_one_of(key + ".windows", options.windows, window_kinds());
}

void check_template(const std::string& name, const std::string& key) {
  check_at_key(key, [&name] { parse_template(name); });
}

}  // namespace qslaw
