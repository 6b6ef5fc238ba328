#include "core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace qslaw {
namespace {

// Whether `descriptor` is the file of that name. Its last holder may have removed it between our opening and
// locking it, and somebody else made it anew: then two would hold a lock of that name.
bool is_file_of_name(int descriptor, const std::filesystem::path& file) {
  struct stat opened = {}, named = {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(file.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

FileLock::FileLock(std::filesystem::path file) : file_(std::move(file)) {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("write", "cannot create ", file_.string(), ": ", std::strerror(errno));
    held_ = lock();
  } while (held_ && !is_file_of_name(descriptor_, file_));
}

FileLock::~FileLock() {
  if (held_) ::unlink(file_.c_str());  // before it is let go of: behind that it may be another's
  ::close(descriptor_);
}

bool FileLock::lock() {
  int result = 0;
  do {
    result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) return false;
  if (result != 0)
    log_warning(concat("cannot lock ", file_.string(), ": ", std::strerror(errno),
                       "; nothing stops a second process from working there"));
  return true;
}

}  // namespace qslaw
