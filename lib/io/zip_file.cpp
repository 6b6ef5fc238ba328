#include "io/zip_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "core/one_line.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kEntry = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr size_t kLocalHeaderBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                 kLocator64Bytes = 20, kMaxCommentBytes = 0xffff;
constexpr uint32_t kIn64 = 0xffffffff;  // "the value stands in the zip64 field"

template <typename T>
T number_at(std::string_view bytes, size_t at) {
  T value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

struct Entry {
  std::string name;
  uint64_t stored_bytes = 0;
  uint64_t bytes = 0;
  uint64_t header = 0;  // position of its local header
};

class ZipReader {
 public:
  ZipReader(std::string_view bytes, const fs::path& path) : bytes_(bytes), path_(path) {}

  std::map<std::string, std::string_view> records() {
    find_directory();
    std::map<std::string, std::string_view> records;
    size_t at = 0;
    while (at < directory_.size()) {
      const Entry entry = read_entry(at);
      const bool added = records.emplace(entry.name, data_of(entry)).second;
      check(added, "one record " + one_line(entry.name) + ", got two");
    }
    return records;
  }

 private:
  void check(bool good, const std::string& what) const {
    require(good, "weights", "expected ", what, " in ", path_.string(), " (is the file cut or damaged?)");
  }

  std::string_view part(uint64_t begin, uint64_t count, const char* what) const {
    check(begin <= bytes_.size() && count <= bytes_.size() - begin, concat(what, " inside the zip archive"));
    return bytes_.substr(begin, count);
  }

  void find_directory() {
    check(bytes_.size() >= kEndBytes, "a zip archive");
    const size_t last = bytes_.size() - kEndBytes;
    size_t back = 0;
    while (back <= std::min(last, kMaxCommentBytes) && number_at<uint32_t>(bytes_, last - back) != kEnd)
      ++back;
    check(back <= std::min(last, kMaxCommentBytes), "a zip archive's end record");
    const size_t end = last - back;
    uint64_t size = number_at<uint32_t>(bytes_, end + 12), begin = number_at<uint32_t>(bytes_, end + 16);
    const bool located =
        end >= kLocator64Bytes && number_at<uint32_t>(bytes_, end - kLocator64Bytes) == kLocator64;
    if (located) {
      const auto at = number_at<uint64_t>(bytes_, end - kLocator64Bytes + 8);
      const auto end64 = part(at, kEnd64Bytes, "a zip64 end record");
      check(number_at<uint32_t>(end64, 0) == kEnd64, "a zip64 end record");
      size = number_at<uint64_t>(end64, 40);
      begin = number_at<uint64_t>(end64, 48);
    }
    directory_ = part(begin, size, "the directory");
  }

  Entry read_entry(size_t& at) const {
    check(directory_.size() - at >= kEntryBytes && number_at<uint32_t>(directory_, at) == kEntry,
          "a directory of whole entries");
    const std::string_view fixed = directory_.substr(at, kEntryBytes);
    const size_t name_bytes = number_at<uint16_t>(fixed, 28), extra_bytes = number_at<uint16_t>(fixed, 30);
    const size_t all = kEntryBytes + name_bytes + extra_bytes + number_at<uint16_t>(fixed, 32);
    check(all <= directory_.size() - at, "a directory of whole entries");
    Entry entry{.name = std::string(directory_.substr(at + kEntryBytes, name_bytes)),
                .stored_bytes = number_at<uint32_t>(fixed, 20),
                .bytes = number_at<uint32_t>(fixed, 24),
                .header = number_at<uint32_t>(fixed, 42)};
    read_extra(directory_.substr(at + kEntryBytes + name_bytes, extra_bytes), entry);
    const bool plain = number_at<uint16_t>(fixed, 10) == 0 && (number_at<uint16_t>(fixed, 8) & 1) == 0 &&
                       entry.stored_bytes == entry.bytes;
    check(plain,
          "records that are neither compressed nor encrypted, got such a record " + one_line(entry.name));
    at += all;
    return entry;
  }

  // The zip64 field holds, in this order, those of the values that did not fit.
  void read_extra(std::string_view extra, Entry& entry) const {
    while (extra.size() >= 4) {
      const size_t size = number_at<uint16_t>(extra, 2);
      check(size <= extra.size() - 4, "a directory of whole entries");
      std::string_view field = extra.substr(4, size);
      if (number_at<uint16_t>(extra, 0) == 1) {
        for (uint64_t* value : {&entry.bytes, &entry.stored_bytes, &entry.header}) {
          if (*value != kIn64) continue;
          check(field.size() >= 8, "a whole zip64 field");
          *value = number_at<uint64_t>(field, 0);
          field.remove_prefix(8);
        }
      }
      extra.remove_prefix(4 + size);
    }
  }

  std::string_view data_of(const Entry& entry) const {
    const auto header = part(entry.header, kLocalHeaderBytes, "a record's header");
    check(number_at<uint32_t>(header, 0) == kLocalHeader, "a header of record " + one_line(entry.name));
    const uint64_t begin =
        entry.header + kLocalHeaderBytes + number_at<uint16_t>(header, 26) + number_at<uint16_t>(header, 28);
    return part(begin, entry.bytes, "a record's data");
  }

  std::string_view bytes_;
  const fs::path& path_;
  std::string_view directory_;
};

}  // namespace

std::map<std::string, std::string_view> read_zip_records(const MappedFile& file, const fs::path& path) {
  return ZipReader(file.bytes(), path).records();
}

}  // namespace qslaw
