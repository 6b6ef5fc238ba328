// A file mapped into memory for reading.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace qslaw {

class MappedFile {
 public:
  /// Maps all of it; a file that is empty or not regular gives no bytes. UserError of `where` when it cannot
  /// be opened.
  MappedFile(const std::filesystem::path& path, const std::string& where);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

/// Takes the pages out of this process' memory while a large file is gone through once, from its beginning to
/// its end: of a file of any size a few MiB are resident at a time.
class PassingPages {
 public:
  explicit PassingPages(const MappedFile& file) : file_(file) {}
  /// What lies in front of this byte has been read.
  void passed(size_t offset);

 private:
  const MappedFile& file_;
  size_t released_ = 0;
};

/// UserError of `where` for what git leaves in the place of a large file when its git-lfs is not set up:
/// `bytes` are the file's, at least the first ones; `kind` is what was expected.
void refuse_lfs_pointer(std::string_view bytes, const std::filesystem::path& path, const std::string& where,
                        const std::string& kind);

/// Takes the pages of such bytes out of this process' memory, for large files that are read once; they can be
/// read again. Does nothing to memory that is no mapped file's.
void release_mapped_pages(const void* data, size_t bytes);

}  // namespace qslaw
