#include "io/safetensors.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "io/mapped_file.h"
#include "project_python.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

// One tensor of every dtype, with shapes that include a scalar and an empty one.
NamedTensors sample_tensors() {
  const at::Tensor numbers = at::arange(24, at::kFloat).view({2, 3, 4}) - 11.5;
  NamedTensors tensors = {{"scalar", at::scalar_tensor(2.5)},
                          {"empty", at::empty({0, 3})},
                          {"turned", numbers.permute({2, 0, 1})}};
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                           at::kChar, at::kByte, at::kBool}) {
    const at::Tensor values = dtype == at::kByte ? numbers.abs() : numbers;
    tensors.emplace_back(std::string("of.") + c10::toString(dtype),
                         dtype == at::kBool ? numbers > 0 : values.to(dtype));
  }
  return tensors;
}

// A file with this header text and `data_bytes` zeros behind it; `claimed` replaces the header's length.
fs::path write_raw(const fs::path& path, const std::string& header, size_t data_bytes,
                   std::optional<uint64_t> claimed = std::nullopt) {
  const uint64_t length = claimed.value_or(header.size());
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  std::ofstream(path, std::ios::binary) << bytes << header << std::string(data_bytes, '\0');
  return path;
}

std::string tensor_text(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors come back as they were written") {
  TemporaryFolder folder;
  const fs::path path = folder.path() / "all.safetensors";
  write_safetensors(path, sample_tensors(), {{"hash", "abc"}});
  const SafetensorsFile file(path);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"hash", "abc"}});
  CHECK(file.entries().size() == 13);
  for (const auto& [name, tensor] : sample_tensors()) {
    INFO(name);
    const at::Tensor back = file.tensor(name);
    CHECK(back.scalar_type() == tensor.scalar_type());
    CHECK(at::equal(back, tensor));
  }
  CHECK_FALSE(fs::exists(path.string() + ".tmp"));
  CHECK_THROWS_WITH(file.tensor("nothing"), Catch::Contains("nothing") && Catch::Contains("all.safetensors"));
}

TEST_CASE("a tensor outlives its file object") {
  TemporaryFolder folder;
  write_safetensors(folder.path() / "a.safetensors", {{"x", at::arange(1000)}});
  const at::Tensor x = read_safetensors(folder.path() / "a.safetensors").at("x");
  fs::remove(folder.path() / "a.safetensors");
  CHECK(at::equal(x, at::arange(1000)));
}

TEST_CASE("streamed tensors are made one after another and checked") {
  TemporaryFolder folder;
  int alive = 0, most = 0;
  const auto make = [&](float value) {
    return [&, value] {
      most = std::max(most, ++alive);
      auto* data = new float[4]{value, value, value, value};
      return at::from_blob(
          data, {4}, [&alive, data](void*) { delete[] data, --alive; }, at::kFloat);
    };
  };
  const std::vector<StreamedTensor> tensors = {{"a", at::kFloat, {4}, make(1.0F)},
                                               {"b", at::kFloat, {4}, make(2.0F)},
                                               {"c", at::kFloat, {4}, make(3.0F)}};
  write_safetensors(folder.path() / "s.safetensors", tensors);
  CHECK(most == 1);
  CHECK(at::equal(read_safetensors(folder.path() / "s.safetensors").at("b"), at::full({4}, 2.0)));
  const std::vector<StreamedTensor> wrong = {{"a", at::kFloat, {5}, [] { return at::zeros({4}); }}};
  CHECK_THROWS_AS(write_safetensors(folder.path() / "w.safetensors", wrong), InternalError);
  CHECK_FALSE(fs::exists(folder.path() / "w.safetensors"));
  CHECK_FALSE(fs::exists(folder.path() / "w.safetensors.tmp"));
}

TEST_CASE("Python's safetensors reads our files and we read its") {
  TemporaryFolder folder;
  const fs::path ours = folder.path() / "ours.safetensors", theirs = folder.path() / "theirs.safetensors";
  if (GENERATE(false, true)) {
    write_safetensors(
        ours, 13,
        [](const TensorSink& sink) {
          for (const auto& [name, tensor] : sample_tensors())
            sink(name, tensor);
        },
        [] {
          return std::map<std::string, std::string>{{"hash", "abc"}};
        });
  } else {
    write_safetensors(ours, sample_tensors(), {{"hash", "abc"}});
  }
  // The script checks values that it computes itself and writes them back in its own order and layout.
  if (!run_python(
          {std::string(QSLAW_SOURCE) + "/tests/io/check_safetensors.py", ours.string(), theirs.string()}))
    return;
  const auto back = read_safetensors(theirs);
  CHECK(back.size() == 13);
  for (const auto& [name, tensor] : sample_tensors()) {
    INFO(name);
    CHECK(back.at(name).scalar_type() == tensor.scalar_type());
    CHECK(at::equal(back.at(name), tensor));
  }
}

TEST_CASE("tensors written as they are made: a failure leaves no file") {
  TemporaryFolder folder;
  const fs::path path = folder.path() / "s.safetensors";
  const auto fill = [](const TensorSink& sink) {
    sink("a", at::ones({3}));
    fail("test", "stopped");
  };
  CHECK_THROWS_AS(write_safetensors(path, 2, fill, [] { return std::map<std::string, std::string>(); }),
                  UserError);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("pages of a mapped file that are given back are read again, other memory is left alone") {
  TemporaryFolder folder;
  const at::Tensor written = at::arange(100'000);
  write_safetensors(folder.path() / "a.safetensors", {{"x", written}});
  const at::Tensor mapped = read_safetensors(folder.path() / "a.safetensors").at("x"), own = written.clone();
  for (const at::Tensor& tensor : {mapped, own}) {
    release_mapped_pages(tensor.const_data_ptr(), tensor.nbytes());
    CHECK(at::equal(tensor, written));
  }
}

TEST_CASE("a pointer of git-lfs in a file's place is called so") {
  TemporaryFolder folder;
  const fs::path path = folder.path() / "model.safetensors";
  std::ofstream(path) << "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  CHECK_THROWS_WITH(SafetensorsFile(path), Catch::Contains("git lfs pull") && Catch::Contains(path.string()));
}

TEST_CASE("data that is not aligned is read") {
  TemporaryFolder folder;
  const std::string header =
      "{\"a\":" + tensor_text("U8", "[3]", "[0,3]") + ",\"b\":" + tensor_text("F32", "[2]", "[3,11]") + "}";
  const SafetensorsFile file(write_raw(folder.path() / "u.safetensors", header, 11));
  CHECK(at::equal(file.tensor("b"), at::zeros({2})));
}

TEST_CASE("empty tensors lie between others") {
  TemporaryFolder folder;
  const std::string header =
      "{\"z\":" + tensor_text("F32", "[0]", "[0,0]") + ",\"a\":" + tensor_text("F32", "[1]", "[0,4]") +
      ",\"e\":" + tensor_text("F32", "[0,2]", "[4,4]") + ",\"b\":" + tensor_text("F32", "[1]", "[4,8]") + "}";
  CHECK(SafetensorsFile(write_raw(folder.path() / "e.safetensors", header, 8)).entries().size() == 4);
  CHECK(SafetensorsFile(write_raw(folder.path() / "n.safetensors", "{}", 0)).entries().empty());
}

TEST_CASE("malformed safetensors are refused with the file's name") {
  struct Case {
    const char* what;
    std::string header;
    size_t data_bytes;
    std::optional<uint64_t> claimed;
    const char* says;
  };
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"some.tensor\":" + tensor_text(dtype, shape, offsets) + "}";
  };
  const std::string overlap =
      "{\"a\":" + tensor_text("F32", "[2]", "[0,8]") + ",\"b\":" + tensor_text("F32", "[2]", "[4,12]") + "}";
  const std::string hole =
      "{\"a\":" + tensor_text("F32", "[2]", "[0,8]") + ",\"b\":" + tensor_text("F32", "[1]", "[12,16]") + "}";
  const std::string empty_within =
      "{\"a\":" + tensor_text("F32", "[2]", "[0,8]") + ",\"b\":" + tensor_text("F32", "[0]", "[4,4]") + "}";
  const Case cases[] = {
      {"header length beyond the file", "{}", 0, 3,
       "expected a header of 3 bytes behind the first 8, got 2 bytes"},
      {"a header length and nothing more", "", 0, 64,
       "expected a header of 64 bytes behind the first 8, got 0"},
      {"header length near 2^64", "{}", 0, ~uint64_t{0}, "got a length of 18446744073709551615"},
      {"header length that wraps around", "{}", 0, ~uint64_t{0} - 7, "not a safetensors file"},
      {"header over the format's limit", "{}", 0, 100'000'001, "expected a header of at most 100000000"},
      {"no header", "", 0, 0, "got nothing"},
      {"not JSON", "{\"a\":", 0, std::nullopt, "JSON in the header of"},
      {"not an object", "[1, 2]", 0, std::nullopt, "got array"},
      {"a tensor that is a number", "{\"a\":1}", 0, std::nullopt, "of tensor a in the JSON header"},
      {"no offsets", R"({"a":{"dtype":"F32","shape":[1]}})", 4, std::nullopt, "two data_offsets of tensor a"},
      {"one offset", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, std::nullopt, "JSON"},
      {"metadata that is not text", R"({"__metadata__":{"format":1}})", 0, std::nullopt, "JSON"},
      {"unknown dtype", one("F13", "[1]", "[0,4]"), 4, std::nullopt, "F13"},
      {"cut data", one("F32", "[2]", "[0,8]"), 7, std::nullopt, "some.tensor"},
      {"offsets turned around", one("F32", "[0]", "[8,0]"), 8, std::nullopt, "some.tensor"},
      {"negative offsets", one("F32", "[1]", "[-4,0]"), 8, std::nullopt, ""},
      {"more elements than bytes", one("F32", "[3]", "[0,8]"), 8, std::nullopt, "some.tensor"},
      {"fewer elements than bytes", one("F32", "[1]", "[0,8]"), 8, std::nullopt, "some.tensor"},
      {"a negative extent", one("F32", "[-2]", "[0,8]"), 8, std::nullopt, "some.tensor"},
      {"two negative extents", one("F32", "[-1,-2]", "[0,8]"), 8, std::nullopt, "some.tensor"},
      {"extents that overflow", one("F32", "[4294967296,4294967296,4294967296]", "[0,0]"), 8, std::nullopt,
       "some.tensor"},
      {"bytes that overflow", one("F32", "[4611686018427387904]", "[0,0]"), 8, std::nullopt, "some.tensor"},
      {"overlap", overlap, 12, std::nullopt, "overlap"},
      // The reference implementation's InvalidOffset and MetadataIncompleteBuffer.
      {"a hole in front", one("F32", "[1]", "[4,8]"), 8, std::nullopt, "some.tensor"},
      {"a hole between two", hole, 16, std::nullopt, "from byte 8, got it from byte 12"},
      {"an empty tensor within another", empty_within, 8, std::nullopt, "at byte 4"},
      {"bytes behind the last tensor", one("F32", "[2]", "[0,8]"), 9, std::nullopt, "bytes by the header"},
      {"levels without end", "{\"a\":" + std::string(3'000'000, '[') + std::string(3'000'000, ']') + "}", 0,
       std::nullopt, "expected at most 64 levels of JSON in the header of"},
      {"bytes and no tensor", "{}", 1, std::nullopt, "expected 10 bytes by the header"},
  };
  TemporaryFolder folder;
  for (const Case& bad : cases) {
    INFO(bad.what);
    const fs::path path =
        write_raw(folder.path() / "bad.safetensors", bad.header, bad.data_bytes, bad.claimed);
    try {
      const SafetensorsFile file(path);
      FAIL("accepted");
    } catch (const UserError& error) {
      CHECK_THAT(error.what(), Catch::Contains("bad.safetensors") && Catch::Contains(bad.says));
    }
  }
  CHECK_THROWS_WITH(SafetensorsFile(folder.path() / "none.safetensors"), Catch::Contains("none.safetensors"));
  CHECK_THROWS_WITH(SafetensorsFile(folder.path()),
                    Catch::Contains("got the folder " + folder.path().string()));
}
