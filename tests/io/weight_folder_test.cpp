// The hash that tells checkpoints apart.
#include "io/weight_folder.h"

#include <catch2/catch.hpp>

#include "core/files.h"
#include "temporary_folder.h"

using namespace qslaw;

TEST_CASE("a checkpoint's identity follows names, sizes and both ends of its files") {
  const TemporaryFolder folder;
  const auto identity_with = [&](const std::string& name, const std::string& content) {
    const auto path = folder.path() / "model";
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    write_file_atomic(path / name, content);
    write_file_atomic(path / "config.json", std::to_string(content.size()));  // no weights: not looked at
    return WeightFolder::identity(path);
  };
  std::string weights(3 << 20, 'w');
  const std::string whole = identity_with("model.safetensors", weights);
  CHECK(identity_with("model.safetensors", weights) == whole);
  CHECK(identity_with("other.safetensors", weights) != whole);
  CHECK(identity_with("model.safetensors", weights + "w") != whole);
  for (const size_t changed : {size_t{0}, weights.size() - 1}) {
    std::string other = weights;
    other[changed] = 'v';
    CHECK(identity_with("model.safetensors", other) != whole);
  }
  CHECK(identity_with("model.safetensors", "short") != whole);
}
