#include "report/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "core/log.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

constexpr std::chrono::seconds kSyncInterval{1};

struct MetricsLine {
  std::string text;
  json value;
};

bool is_metrics_object(const json& value) {
  return value.is_object() && value.contains("step") && value["step"].is_number_integer();
}

std::vector<MetricsLine> parse_lines(const fs::path& path) {
  std::vector<MetricsLine> lines;
  if (!fs::exists(path)) return lines;
  const std::string bytes = read_file(path);
  size_t number = 1;
  for (size_t begin = 0; begin < bytes.size(); ++number) {
    const size_t end = bytes.find('\n', begin);
    const bool cut = end == std::string::npos;
    std::string text = bytes.substr(begin, cut ? end : end - begin);
    begin = cut ? bytes.size() : end + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    // A last line that a kill cut.
    if (cut && !is_metrics_object(json::parse(text, nullptr, /*allow_exceptions=*/false))) break;
    json value = parse_json(text, "metrics", path.string(), number);
    require(is_metrics_object(value), "metrics", "expected a JSON object with a whole number \"step\", got ",
            value.type_name(), " without (", path.string(), ", line ", number, ")");
    lines.push_back({std::move(text), std::move(value)});
  }
  return lines;
}

void write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("metrics", "cannot write ", path.string(), ": ", std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

MetricsWriter::MetricsWriter(const fs::path& path, int64_t done_steps)
    : path_(path), descriptor_(-1), synced_(std::chrono::steady_clock::now()) {
  std::string kept;
  if (done_steps > 0) {
    for (const MetricsLine& line : parse_lines(path)) {
      if (line.value["step"].get<int64_t>() <= done_steps) kept += line.text + "\n";
    }
  }
  write_file_atomic(path, kept);
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail("metrics", "cannot open ", path.string(), ": ", std::strerror(errno));
}

MetricsWriter::~MetricsWriter() {
  if (::fsync(descriptor_) != 0)
    log_warning(concat("cannot sync ", path_.string(), ": ", std::strerror(errno)));
  ::close(descriptor_);
}

void MetricsWriter::write(const json& line) {
  QSLAW_CHECK(is_metrics_object(line));
  write_all(descriptor_, dump_lenient(line) + "\n", path_);
  if (std::chrono::steady_clock::now() - synced_ >= kSyncInterval) sync();
}

void MetricsWriter::sync() {
  synced_ = std::chrono::steady_clock::now();
  if (::fsync(descriptor_) != 0 && errno != EINVAL) {
    fail("metrics", "cannot sync ", path_.string(), ": ", std::strerror(errno));
  }
}

std::vector<json> read_metrics(const fs::path& path) {
  std::vector<json> values;
  for (MetricsLine& line : parse_lines(path))
    values.push_back(std::move(line.value));
  return values;
}

}  // namespace qslaw
