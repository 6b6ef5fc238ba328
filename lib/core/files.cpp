#include "core/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "core/file_lock.h"
#include "core/write_failure.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr size_t kReadAtOnce = 64 << 10;  // bytes

void sync_path(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0) fail("write", "cannot open ", path.string(), " to sync it: ", std::strerror(errno));
  const int result = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  // Some file systems refuse fsync on folders; that is no reason to lose the file.
  if (result != 0 && reason != EINVAL)
    fail("write", "cannot sync ", path.string(), ": ", std::strerror(reason));
}

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// Behind links: the file is replaced, not a link to it. A device or a pipe would be replaced by a file.
fs::path replaceable(const fs::path& path) {
  std::error_code missing;
  const fs::path target = fs::is_symlink(path, missing) ? fs::weakly_canonical(path, missing) : path;
  const fs::file_status status = fs::status(target, missing);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))
    fail("write", "expected a regular file or a new one, got ", path.string());
  return target;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    QSLAW_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void update(const char* data, size_t size) {
    QSLAW_CHECK(EVP_DigestUpdate(context_.get(), data, size) == 1);
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    QSLAW_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &length) == 1);
    static const char* const digits = "0123456789abcdef";
    std::string out;
    for (unsigned i = 0; i < length; ++i) {
      out += digits[digest[i] >> 4];
      out += digits[digest[i] & 15];
    }
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// What tells a file from what it was.
struct FileVersion {
  uintmax_t size = 0;
  fs::file_time_type time;
  bool operator==(const FileVersion&) const = default;
};

// Files written within so little time of each other may have the same.
constexpr std::chrono::milliseconds kClockTick(50);

FileVersion file_version(const fs::path& path) {
  std::error_code missing;
  FileVersion version{fs::file_size(path, missing), {}};
  version.time = fs::last_write_time(path, missing);
  return version;
}

std::string hash_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("read", "cannot open ", path.string(), ": ", std::strerror(errno));
  Sha256 hash;
  std::array<char, 1 << 16> buffer{};
  while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
    hash.update(buffer.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) fail("read", "cannot read ", path.string(), ": ", std::strerror(errno));
  return hash.hex();
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code told_below;
  if (fs::is_directory(path, told_below)) fail("read", "expected a file, got the folder ", path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("read", "cannot open ", path.string(), ": ", std::strerror(errno));
  std::string bytes;
  while (in) {
    const size_t read = bytes.size();
    bytes.resize(read + kReadAtOnce);
    in.read(&bytes[read], kReadAtOnce);
    bytes.resize(read + static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) fail("read", "cannot read ", path.string(), ": ", std::strerror(errno));
  return bytes;
}

void write_file_atomic(const fs::path& name, const std::function<void(std::ostream&)>& write) {
  const fs::path path = replaceable(name), temporary = path.string() + ".tmp";
  const OwnFile alone(temporary);  // for one of the writers at a time
  try {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) fail("write", "cannot create ", temporary.string(), ": ", std::strerror(errno));
    errno = 0;
    write(out);
    out.close();
    if (!out) fail("write", "cannot write ", temporary.string(), ": ", write_failure(errno));
    sync_path(temporary, O_RDONLY);
    rename_durably(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_file_atomic(const fs::path& path, const std::string& bytes) {
  write_file_atomic(
      path, [&](std::ostream& out) { out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); });
}

void rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code reason;
  fs::rename(from, to, reason);
  if (reason) fail("write", "cannot rename ", from.string(), " to ", to.string(), ": ", reason.message());
  sync_path(parent_of(to), O_RDONLY | O_DIRECTORY);
}

void make_folder(const fs::path& path) {
  std::error_code reason;
  fs::create_directories(path, reason);
  if (reason) fail("write", "cannot create the folder ", path.string(), ": ", reason.message());
  if (!fs::is_directory(path)) fail("write", "expected a folder, got a file: ", path.string());
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_file(const fs::path& path) {
  static std::mutex mutex;
  static std::map<fs::path, std::pair<FileVersion, std::string>> known;
  const FileVersion version = file_version(path);
  {
    const std::lock_guard lock(mutex);
    const auto found = known.find(path);
    if (found != known.end() && found->second.first == version) return found->second.second;
  }
  const std::string hash = hash_file(path);
  const std::lock_guard lock(mutex);
  if (fs::file_time_type::clock::now() - version.time > kClockTick) known[path] = {version, hash};
  return hash;
}

}  // namespace qslaw
