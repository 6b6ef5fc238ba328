#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace qslaw {
namespace {

// A second in all: long enough for a process that looks at the lock and is not given the processor.
constexpr int kTries = 200;
constexpr std::chrono::milliseconds kPause(5);

// Whether `descriptor` is the file of that name. Its last holder may have removed it between our opening and
// locking it, and somebody else made it anew: then two would hold a lock of that name.
bool is_file_of_name(int descriptor, const std::filesystem::path& file) {
  struct stat opened = {}, named = {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(file.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// flock, whatever signals come: 0, or errno.
int lock_by(int descriptor, int operation) {
  int result = 0;
  do {
    result = ::flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

int try_lock(int descriptor, int operation) {
  return lock_by(descriptor, operation | LOCK_NB);
}

}  // namespace

FileLock::FileLock(std::filesystem::path file, LockKind kind) : file_(std::move(file)), kind_(kind) {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    held_ = !open() || lock();
  } while (held_ && descriptor_ >= 0 && !is_file_of_name(descriptor_, file_));
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  // Before it is let go of: behind that it may be another's.
  if (held_ && is_last_holder()) ::unlink(file_.c_str());
  ::close(descriptor_);
}

// False when there is nothing to lock: no file, and none that could be made.
bool FileLock::open() {
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ >= 0) return true;
  const int reason = errno;
  if (reason == EACCES || reason == EROFS) {
    descriptor_ = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);  // enough for flock
    if (descriptor_ >= 0) return true;
    if (kind_ == LockKind::shared) return false;
  }
  fail("write", "cannot create ", file_.string(), ": ", std::strerror(reason));
}

bool FileLock::lock() {
  const int operation = kind_ == LockKind::exclusive ? LOCK_EX : LOCK_SH;
  int reason = try_lock(descriptor_, operation);
  for (int tries = 1; reason == EWOULDBLOCK && tries < kTries; ++tries) {
    std::this_thread::sleep_for(kPause);
    reason = try_lock(descriptor_, operation);
  }
  if (reason == EWOULDBLOCK) return false;
  if (reason != 0)
    log_warning(concat("cannot lock ", file_.string(), ": ", std::strerror(reason),
                       "; nothing stops a second process from working there"));
  return true;
}

bool FileLock::is_last_holder() const {
  if (kind_ == LockKind::exclusive) return true;
  return try_lock(descriptor_, LOCK_EX) == 0 && is_file_of_name(descriptor_, file_);
}

OwnFile::OwnFile(const std::filesystem::path& file) {
  int refused = 0;
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("write", "cannot create ", file.string(), ": ", std::strerror(errno));
    refused = lock_by(descriptor_, LOCK_EX);
  } while (refused == 0 && !is_file_of_name(descriptor_, file));
}

OwnFile::~OwnFile() {
  ::close(descriptor_);
}

bool is_exclusively_locked(const std::filesystem::path& file) {
  std::error_code unreachable;
  return std::filesystem::exists(file, unreachable) && !FileLock(file, LockKind::shared).held();
}

}  // namespace qslaw
