#include "input_lines.h"

#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/files.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

const char* const kMissing = " is missing";

// Of larger files, which weights are, a part spread over the whole file is compared: other weights differ
// everywhere, and reading all of them would take longer than most stages need to begin.
constexpr uintmax_t kMostReadWhole = uintmax_t{2} << 30;

std::string spread_digest(const fs::path& path, uintmax_t size) {
  constexpr uintmax_t kBlocks = 4096;
  constexpr size_t kBlock = 4096;
  std::ifstream in(path, std::ios::binary);
  std::string part(kBlocks * kBlock, '\0');
  for (uintmax_t block = 0; block < kBlocks; ++block) {
    in.seekg(static_cast<std::streamoff>((size - kBlock) / (kBlocks - 1) * block));
    in.read(part.data() + block * kBlock, kBlock);
  }
  require(in.good(), "read", "cannot read ", path.string());
  return sha256(part);
}

std::string content_digest(const fs::path& path) {
  const uintmax_t size = fs::file_size(path);
  return size > kMostReadWhole ? spread_digest(path, size) : sha256_file(path);
}

// "" of a file that is gone or cannot be read: the stage, which needs it, says so.
std::string find_digest(const fs::path& path) {
  try {
    return content_digest(path);
  } catch (const std::exception&) {
    return "";
  }
}

struct InputLine {
  std::string path, size, time, digest;  // no digest: that of now
};

// A path may hold spaces.
InputLine parse(std::string line) {
  const auto take_last = [&line] {
    const size_t space = std::min(line.rfind(' '), line.size());
    std::string last = line.substr(std::min(space + 1, line.size()));
    line.resize(space);
    return last;
  };
  InputLine parsed;
  parsed.time = take_last();
  if (is_sha256(parsed.time)) {
    parsed.digest = parsed.time;
    parsed.time = take_last();
  }
  parsed.size = take_last();
  parsed.path = line;
  return parsed;
}

}  // namespace

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

bool is_sha256(const std::string& text) {
  constexpr size_t kDigits = 64;
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string input_line(const fs::path& path) {
  std::error_code missing;
  const auto size = fs::file_size(path, missing);
  const auto time = missing ? fs::file_time_type() : fs::last_write_time(path, missing);
  if (missing) return path.string() + kMissing;
  return concat(path.string(), " ", size, " ", time.time_since_epoch().count());
}

bool is_input_line(const std::string& line) {
  return line.starts_with("/");
}

bool is_missing(const std::string& line) {
  return is_input_line(line) && line.ends_with(kMissing);
}

std::string input_path(const std::string& line) {
  return is_missing(line) ? line.substr(0, line.size() - std::string(kMissing).size()) : parse(line).path;
}

std::string with_digests(const std::string& lines) {
  std::string out;
  for (const std::string& line : lines_of(lines)) {
    const bool is_file = is_input_line(line) && !is_missing(line);
    const std::string digest = is_file ? find_digest(input_path(line)) : "";
    out += line + (digest.empty() ? "" : " " + digest) + "\n";
  }
  return out;
}

bool is_same_input(const std::string& begun, const std::string& now) {
  if (begun == now) return true;
  if (!is_input_line(begun) || !is_input_line(now) || is_missing(begun) || is_missing(now)) return false;
  const InputLine was = parse(begun), is = parse(now);
  if (was.path != is.path || was.size != is.size) return false;
  return was.time == is.time || (!was.digest.empty() && was.digest == find_digest(is.path));
}

}  // namespace qslaw
