#include "export/options.h"

#include <iterator>
#include <set>

#include "core/key_error.h"

namespace qslaw {
namespace {

constexpr int64_t kMinShardBytes = 1'000'000;  // below, a 7B model would be tens of thousands of files

}  // namespace

void check(const ExportOptions& options) {
  require_key(!options.formats.empty(), "export.formats", "expected at least one format, got none");
  const std::vector<std::string> known(std::begin(kExportFormats), std::end(kExportFormats));
  std::set<std::string> seen;
  for (size_t i = 0; i < options.formats.size(); ++i) {
    const std::string key = concat("export.formats.", i);
    require_one_of(key, options.formats[i], known);
    require_key(seen.insert(options.formats[i]).second, key, "expected each format once, got \"",
                options.formats[i], "\" again");
  }
  require_one_of("export.dtype", options.dtype, {"bfloat16", "float16", "float32"});
  require_at_least("export.max_shard_bytes", options.max_shard_bytes, kMinShardBytes);
}

}  // namespace qslaw
