// Oracle: torch.load of the same files (write_torch_files.py).
#include "io/torch_file.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/weight_folder.h"
#include "project_python.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

bool write_files(const fs::path& folder) {
  return run_python({std::string(QSLAW_SOURCE) + "/tests/io/write_torch_files.py", folder.string()});
}

std::string error_of(const fs::path& file) {
  try {
    TorchFile opened(file);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("torch files: every tensor is torch.load's, bit for bit") {
  const TemporaryFolder folder;
  if (!write_files(folder.path())) return;
  size_t files = 0;
  for (const auto& item : fs::directory_iterator(folder.path())) {
    if (item.path().extension() != ".bin" && item.path().extension() != ".pth") continue;
    INFO(item.path());
    const TorchFile file(item.path());
    const auto expected = read_safetensors(fs::path(item.path()).replace_extension(".safetensors"));
    CHECK(file.entries().size() == expected.size());
    for (const auto& [name, tensor] : expected) {
      INFO(name);
      REQUIRE(file.entries().count(name) == 1);
      const at::Tensor read = file.tensor(name);
      CHECK(read.scalar_type() == tensor.scalar_type());
      CHECK(read.is_contiguous());
      CHECK(at::equal(read, tensor));
    }
    ++files;
  }
  CHECK(files == 11);
}

TEST_CASE("torch files: what runs code, lies or is cut is refused in one line") {
  const TemporaryFolder folder;
  if (!write_files(folder.path())) return;
  const auto messages = read_json(folder.path() / "refused" / "refused.json");
  CHECK(messages.size() > 70);
  for (const auto& [name, message] : messages.items()) {
    const fs::path file = folder.path() / "refused" / name;
    const std::string error = error_of(file);
    INFO(name);
    CHECK_THAT(error, Catch::Contains(message.get<std::string>()));
    CHECK_THAT(error, Catch::Contains(file.string()));
    CHECK(error.find_first_of("\n\x1b") == std::string::npos);
  }
  CHECK(error_of(folder.path() / "refused" / "whole.pth").empty());
  CHECK_FALSE(fs::exists(fs::current_path() / "executed"));
  CHECK_THAT(error_of(folder.path() / "none.bin"), Catch::Contains("none.bin"));
  CHECK_THAT(error_of(folder.path()), Catch::Contains(folder.path().string()));
}

TEST_CASE("torch files: no changed byte leads outside of the file") {
  const TemporaryFolder folder;
  if (!write_files(folder.path())) return;
  const std::string whole = read_file(folder.path() / "refused" / "whole.pth");
  const fs::path path = folder.path() / "changed.bin";
  size_t refused = 0;
  int64_t touched = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff', '.', 'R'}) {
      std::string changed = whole;
      changed[at] = value;
      write_bytes(path, changed);
      try {
        const TorchFile file(path);
        for (const auto& [name, entry] : file.entries())
          touched += file.tensor(name).to(at::kDouble).numel();
      } catch (const UserError&) {
        ++refused;
      }
    }
  }
  CHECK(refused > whole.size());
  CHECK(touched > 0);
}

TEST_CASE("a folder of .bin shards is one of weights, and safetensors go first") {
  const TemporaryFolder folder;
  if (!write_files(folder.path())) return;
  const fs::path model = folder.path() / "model";
  fs::create_directories(model);
  fs::copy(folder.path() / "views_2.bin", model / "pytorch_model-00001-of-00002.bin");
  fs::copy(folder.path() / "parameters_2.bin", model / "pytorch_model-00002-of-00002.bin");
  nlohmann::json index;
  index["weight_map"] = {{"rows", "pytorch_model-00001-of-00002.bin"},
                         {"a", "pytorch_model-00002-of-00002.bin"}};
  write_json(model / "pytorch_model.bin.index.json", index);
  const auto views = read_safetensors(folder.path() / "views_2.safetensors");
  const auto parameters = read_safetensors(folder.path() / "parameters_2.safetensors");
  CHECK(WeightFolder::open(model).names() == std::vector<std::string>{"a", "rows"});
  WeightFolder weights = WeightFolder::open(model);
  CHECK(at::equal(weights.take("rows", {2, 5}), views.at("rows")));
  CHECK(at::equal(weights.take("a", {6, 5}), parameters.at("a")));
  CHECK_THROWS_WITH(weights.take("a", {5, 6}), Catch::Contains("pytorch_model-00002-of-00002.bin"));
  const std::string identity = WeightFolder::identity(model);
  write_bytes(model / "pytorch_model-00002-of-00002.bin", "other");
  CHECK(WeightFolder::identity(model) != identity);
  CHECK_THROWS_WITH(WeightFolder::open(model), Catch::Contains("pytorch_model-00002-of-00002.bin"));
  write_safetensors(model / "model.safetensors", {{"x", at::ones({1})}});
  CHECK(WeightFolder::open(model).names() == std::vector<std::string>{"x"});
}

TEST_CASE("a view that repeats one number is not spread out before its shape is compared") {
  const TemporaryFolder folder;
  if (!write_files(folder.path())) return;
  const fs::path model = folder.path() / "huge";
  const int64_t elements = int64_t{1} << 40;
  for (const WeightReading reading : {WeightReading::tensors, WeightReading::headers}) {
    WeightFolder weights = WeightFolder::open(model, reading);
    CHECK_THROWS_WITH(weights.take("a", {2, 3}), Catch::Contains("tensor a: expected shape [2, 3], got [") &&
                                                     Catch::Contains(std::to_string(elements)));
  }
  WeightFolder headers = WeightFolder::open(model, WeightReading::headers);
  const at::Tensor taken = headers.take("a", {elements});
  CHECK(taken.is_meta());
  CHECK(taken.numel() == elements);
  CHECK_NOTHROW(headers.require_all_taken());
}
