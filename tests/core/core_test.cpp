#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "temporary_folder.h"

using namespace qslaw;
namespace fs = std::filesystem;

TEST_CASE("SHA-256 of the standard's examples (FIPS 180-2)") {
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("a file is hashed again only when its size or time is another") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a";
  const auto write = [&](const std::string& bytes, fs::file_time_type time) {
    std::ofstream(file) << bytes;
    fs::last_write_time(file, time);
  };
  const auto now = fs::file_time_type::clock::now();
  const auto just_now = now + std::chrono::hours(1), earlier = now - std::chrono::hours(1);
  write("abc", just_now);
  CHECK(sha256_file(file) == sha256("abc"));
  write("abd", just_now);
  CHECK(sha256_file(file) == sha256("abd"));

  write("abe", earlier);
  CHECK(sha256_file(file) == sha256("abe"));
  write("abf", earlier);
  CHECK(sha256_file(file) == sha256("abe"));  // remembered
  write("abf", earlier + std::chrono::seconds(1));
  CHECK(sha256_file(file) == sha256("abf"));
  write("abfg", earlier + std::chrono::seconds(1));
  CHECK(sha256_file(file) == sha256("abfg"));
}

TEST_CASE("SplitMix64 gives the published sequence") {
  Random random(1234567);  // test vector of the reference implementation's authors
  CHECK(random.next() == 6457827717110365317ULL);
  CHECK(random.next() == 3203168211198807973ULL);
}

TEST_CASE("FNV-1a gives the published values") {
  CHECK(hash_text("") == 0xcbf29ce484222325ULL);
  CHECK(hash_text("a") == 0xaf63dc4c8601ec8cULL);
  CHECK(hash_text("foobar") == 0x85944171f73967e8ULL);
}

TEST_CASE("a permutation holds every number once and depends on the seed alone") {
  const auto order = permutation(1000, 5);
  CHECK(std::set<int64_t>(order.begin(), order.end()).size() == 1000);
  CHECK(order == permutation(1000, 5));
  CHECK(order != permutation(1000, 6));
}

TEST_CASE("the nearest name is found, an unrelated one is not") {
  CHECK(nearest_name("group_sise", {"bits", "group_size", "method"}) == "group_size");
  CHECK(nearest_name("qqqqqqqqqq", {"bits", "method"}).empty());
}

TEST_CASE("UTF-8 is checked as the Unicode standard says") {
  CHECK(is_valid_utf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"));
  CHECK_FALSE(is_valid_utf8("\xC0\xAF"));          // overlong
  CHECK_FALSE(is_valid_utf8("\xED\xA0\x80"));      // surrogate
  CHECK_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));  // beyond U+10FFFF
  CHECK_FALSE(is_valid_utf8("\xE2\x82"));          // cut
  CHECK_FALSE(is_valid_utf8("\x80"));
}

TEST_CASE("a failed write leaves the old file and no temporary one") {
  const fs::path folder = fs::temp_directory_path() / ("qslaw_files_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  write_file_atomic(folder / "a", "old");
  CHECK_THROWS(write_file_atomic(folder / "a", [](std::ostream& out) {
    out << "half";
    throw std::runtime_error("killed");
  }));
  CHECK(read_file(folder / "a") == "old");
  CHECK_FALSE(fs::exists(folder / "a.tmp"));
  CHECK_THROWS_AS(write_file_atomic(folder / "missing" / "a", "x"), UserError);
  fs::create_directories(folder / "b");
  CHECK_THROWS_AS(write_file_atomic(folder / "b", "x"), UserError);
  CHECK_FALSE(fs::exists(folder / "b.tmp"));
  CHECK_THROWS_AS(read_file(folder), UserError);
  fs::remove_all(folder);
}

TEST_CASE("a file that several write at once is one of theirs, whole") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "page";
  constexpr int kWriters = 4, kWrites = 25;
  const auto bytes_of = [](int writer) {
    return std::string(static_cast<size_t>(1000 * (writer + 1)), static_cast<char>('a' + writer));
  };
  std::vector<std::future<void>> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.push_back(std::async(std::launch::async, [&, writer] {
      for (int i = 0; i < kWrites; ++i)
        write_file_atomic(path, bytes_of(writer));
    }));
  }
  for (auto& writer : writers)
    CHECK_NOTHROW(writer.get());
  const std::string bytes = read_file(path);
  REQUIRE_FALSE(bytes.empty());
  CHECK(bytes == bytes_of(bytes[0] - 'a'));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a file is read whole, whatever its length") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  for (size_t length : {0, 1, 65535, 65536, 65537, 200001}) {
    INFO(length);
    std::string bytes(length, 'x');
    for (size_t i = 0; i < length; ++i)
      bytes[i] = static_cast<char>(i * 7 + i / 256);
    write_file_atomic(path, bytes);
    CHECK(read_file(path) == bytes);
  }
}

TEST_CASE("a link stays a link, a pipe stays a pipe") {
  const TemporaryFolder holder;
  const fs::path& folder = holder.path();
  write_file_atomic(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  write_file_atomic(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_file(folder / "real") == "new");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(write_file_atomic(folder / "pipe", "x"), Catch::Contains("expected a regular file"));
  CHECK(fs::is_fifo(folder / "pipe"));
}

TEST_CASE("a full disk is one clear error") {
  if (!fs::exists("/dev/full")) return;
  const fs::path folder = fs::temp_directory_path() / ("qslaw_full_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  fs::create_symlink("/dev/full", folder / "a.tmp");
  CHECK_THROWS_WITH(write_file_atomic(folder / "a", std::string(1 << 20, 'x')),
                    Catch::Contains("cannot write") && Catch::Contains("(is the disk full?)"));
  fs::remove_all(folder);
}
