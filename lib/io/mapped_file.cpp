#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>

#include "core/error.h"

namespace qslaw {
namespace {

// Sizes of the mappings that exist, by address. Never destroyed: a mapping may outlive every static object.
struct Mappings {
  std::mutex mutex;
  std::map<uintptr_t, size_t> sizes;
};

Mappings& mappings() {
  static auto* all = new Mappings;
  return *all;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, const std::string& where) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(where, "cannot open ", path.string(), ": ", std::strerror(errno));
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const size_t size = regular ? static_cast<size_t>(status.st_size) : 0;
  void* address = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
  const int problem = errno;
  ::close(descriptor);
  if (size == 0) return;
  if (address == MAP_FAILED) fail(where, "cannot map ", path.string(), ": ", std::strerror(problem));
  data_ = static_cast<const char*>(address);
  size_ = size;
  const std::lock_guard lock(mappings().mutex);
  mappings().sizes[reinterpret_cast<uintptr_t>(data_)] = size_;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  const std::lock_guard lock(mappings().mutex);
  mappings().sizes.erase(reinterpret_cast<uintptr_t>(data_));
  ::munmap(const_cast<char*>(data_), size_);
}

void PassingPages::passed(size_t offset) {
  constexpr size_t kStep = size_t{16} << 20;
  if (offset < released_ + kStep) return;
  release_mapped_pages(file_.data() + released_, offset - released_);
  released_ = offset;
}

void refuse_lfs_pointer(std::string_view bytes, const std::filesystem::path& path, const std::string& where,
                        const std::string& kind) {
  require(!bytes.starts_with("version https://git-lfs"), where, "expected ", kind,
          ", got a pointer of git-lfs, which `git lfs pull` replaces (", path.string(), ")");
}

void release_mapped_pages(const void* data, size_t bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(data), end = begin + bytes;
  const std::lock_guard lock(mappings().mutex);
  auto found = mappings().sizes.upper_bound(begin);
  if (found == mappings().sizes.begin()) return;
  --found;
  if (end > found->first + found->second) return;
  // Whole pages: those at the ends may be wanted for what lies beside.
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace qslaw
