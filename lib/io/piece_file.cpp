#include "io/piece_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace qslaw {
namespace {

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

PieceFile::PieceFile(const std::filesystem::path& path)
    // Without waiting for a writer where it is a pipe, which is refused below.
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail("read", "cannot open ", path.string(), ": ", std::strerror(errno));
  try {
    opened_ = status();
    require(!S_ISDIR(opened_.st_mode), "read", "expected a file, got the folder ", path.string());
    require(S_ISREG(opened_.st_mode), "read", "expected a regular file, got ", path.string());
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PieceFile::~PieceFile() {
  ::close(descriptor_);
}

struct stat PieceFile::status() const {
  struct stat now {};
  if (::fstat(descriptor_, &now) != 0)
    fail("read", "cannot look at ", path_.string(), ": ", std::strerror(errno));
  return now;
}

std::string PieceFile::read(uint64_t begin, size_t size) const {
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t got =
        ::pread(descriptor_, bytes.data() + done, size - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", "cannot read ", path_.string(), ": ", std::strerror(errno));
    if (got == 0) break;  // it was cut: its size has changed
    done += static_cast<size_t>(got);
  }
  // Behind the reading: what was written before it is noticed.
  require(
      is_same(status(), opened_), "read", "expected ", path_.string(),
      " as it was when it was opened, got one that was written to since; go on with --resume when it is as "
      "it shall be");
  return bytes;
}

}  // namespace qslaw
