#include "quant/packed_weight.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "quant/normal_float.h"
#include "report/host_memory.h"

using namespace qslaw;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("qslaw_packed_" + std::to_string(::getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

std::vector<LinearSpec> two_specs() {
  return {{"model.layers.0.a", 0, 24, 64}, {"model.layers.0.b", 0, 10, 128}};
}

PackedLanguage make_language(int bits) {
  at::manual_seed(bits);
  PackedLanguage language{"rtn", bits, 64, {}};
  for (const LinearSpec& spec : two_specs()) {
    const at::Tensor weight = at::randn({spec.rows, spec.columns});
    auto packed = std::make_shared<PackedWeight>();
    packed->bits = bits;
    packed->group_size = 64;
    packed->grid = grid_from_range(group_range(weight, 64), bits);
    packed->codes = quantize_packed(weight, packed->grid, {}, bits);
    language.weights[spec.name] = packed;
  }
  return language;
}

}  // namespace

TEST_CASE("a packed language model reads back byte for byte") {
  const TemporaryFolder folder;
  const int bits = GENERATE(2, 3, 4, 8);
  const PackedLanguage written = make_language(bits);
  write_packed_language(folder.path / "language.safetensors", written);
  const PackedLanguage read = read_packed_language(folder.path / "language.safetensors", two_specs());
  CHECK(read.method == "rtn");
  CHECK(read.bits == bits);
  CHECK(read.bytes() == written.bytes());
  for (const auto& [name, weight] : written.weights) {
    CHECK(at::equal(read.weights.at(name)->codes, weight->codes));
    CHECK(at::equal(read.weights.at(name)->grid.scale, weight->grid.scale));
    CHECK(at::equal(read.weights.at(name)->grid.zero, weight->grid.zero));
  }
}

TEST_CASE("reading a packed language model takes its bytes once, not the mapped file's as well") {
  const TemporaryFolder folder;
  std::vector<LinearSpec> specs;
  for (int64_t layer = 0; layer < 4; ++layer)
    specs.push_back({"model.layers." + std::to_string(layer) + ".a", layer, 4096, 8192});
  {
    PackedLanguage language{"rtn", 8, 64, {}};
    for (const LinearSpec& spec : specs) {
      auto packed = std::make_shared<PackedWeight>();
      packed->bits = 8;
      packed->group_size = 64;
      packed->codes = at::zeros({spec.rows, spec.columns}, at::kByte);
      packed->grid = {at::ones({spec.rows, spec.columns / 64}),
                      at::zeros({spec.rows, spec.columns / 64}, at::kShort)};
      language.weights[spec.name] = packed;
    }
    write_packed_language(folder.path / "a", language);
  }
  reset_peak_host_bytes();
  const int64_t before = current_host_bytes();
  if (peak_host_bytes() > before + (1 << 20)) {
    WARN("this system does not let the peak begin anew");
    return;
  }
  const PackedLanguage language = read_packed_language(folder.path / "a", specs);
  // A tensor's pages go when it has been copied: beside the bytes one tensor's, a quarter of them, may be
  // resident, and an eighth of what a sanitizer notes.
  CHECK(static_cast<double>(peak_host_bytes() - before) < 1.6 * static_cast<double>(language.bytes()));
}

TEST_CASE("codes are packed as the examples of docs/formats.md say") {
  struct Example {
    int bits;
    std::vector<uint8_t> codes, bytes;
  };
  const std::vector<Example> examples = {{2, {1, 2, 3, 0}, {0x39}},
                                         {3, {1, 2, 3, 4, 5, 6, 7, 0}, {0xD1, 0x58, 0x1F}},
                                         {4, {10, 3}, {0x3A}},
                                         {8, {200, 7}, {0xC8, 0x07}}};
  const std::string docs = read_file(std::string(QSLAW_SOURCE) + "/docs/formats.md");
  for (const Example& example : examples) {
    INFO(example.bits << " bits");
    const auto shown = static_cast<int64_t>(example.codes.size());
    at::Tensor codes = at::zeros({1, 8}, at::kByte);  // rows are packed by eights
    codes[0].narrow(0, 0, shown).copy_(at::tensor(example.codes, at::kByte));
    const at::Tensor packed = pack_codes(codes, example.bits);
    const at::Tensor bytes_shown = at::tensor(example.bytes, at::kByte);
    CHECK(at::equal(packed[0].narrow(0, 0, bytes_shown.numel()), bytes_shown));
    CHECK(at::equal(unpack_codes(packed, example.bits, codes.size(1)), codes));
    std::string row = concat("| ", example.bits, " |"), bytes;
    for (const uint8_t code : example.codes)
      row += concat(" ", static_cast<int>(code));
    for (const uint8_t byte : example.bytes) {
      for (const int digit : {byte / 16, byte % 16})
        bytes += "0123456789ABCDEF"[digit];
      bytes += ' ';
    }
    CHECK(docs.find(row + " | `" + bytes.substr(0, bytes.size() - 1) + "` |") != std::string::npos);
  }
}

TEST_CASE("a packed file's header says what is in it") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "language.safetensors";
  PackedLanguage language = make_language(3);
  write_packed_language(path, language);
  CHECK(read_packed_header(path).tuned_base.empty());
  language.tuned_base = "a b";
  write_packed_language(path, language);
  const PackedHeader header = read_packed_header(path);
  CHECK(header.method == "rtn");
  CHECK(header.kind == CodeKind::uniform);
  CHECK(header.bits == 3);
  CHECK(header.group_size == 64);
  CHECK(header.bytes == language.bytes());
  CHECK(header.tuned_base == "a b");
  CHECK(read_packed_language(path, two_specs()).tuned_base == "a b");
  write_safetensors(path, {{"x", at::zeros({2})}});
  CHECK_THROWS_WITH(read_packed_header(path), Catch::Contains(path.string()));
}

TEST_CASE("bytes per weight are the code's bits plus six bytes per group") {
  const PackedLanguage language = make_language(4);
  const int64_t weights = 24 * 64 + 10 * 128;
  CHECK(language.bytes() == weights / 2 + weights / 64 * 6);
}

TEST_CASE("a packed file that does not fit the model is refused by name") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "language.safetensors";
  write_packed_language(path, make_language(4));
  auto specs = two_specs();
  SECTION("missing") {
    specs.push_back({"model.layers.1.a", 1, 8, 64});
    CHECK_THROWS_WITH(read_packed_language(path, specs), Catch::Contains("model.layers.1.a.codes"));
  }
  SECTION("extra") {
    specs.pop_back();
    CHECK_THROWS_WITH(read_packed_language(path, specs), Catch::Contains("model.layers.0.b"));
  }
  SECTION("wrong shape") {
    specs[1].rows = 11;
    CHECK_THROWS_WITH(read_packed_language(path, specs),
                      Catch::Contains("model.layers.0.b.codes") && Catch::Contains("expected"));
  }
  SECTION("cut") {
    const std::string bytes = read_file(path);
    write_file_atomic(path, bytes.substr(0, bytes.size() - 100));
    CHECK_THROWS_WITH(read_packed_language(path, specs), Catch::Contains("cut"));
  }
  SECTION("not a packed model") {
    write_safetensors(path, {{"x", at::zeros({2})}});
    CHECK_THROWS_AS(read_packed_language(path, specs), UserError);
  }
}
