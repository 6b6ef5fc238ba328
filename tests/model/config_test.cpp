#include "model/config.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "io/json.h"
#include "model_fixture.h"
#include "temporary_folder.h"

using namespace qslaw;

TEST_CASE("positions that a model was made for: rope scaling extends them") {
  const auto of_fixture = [](const char* name) {
    return usable_positions(read_llava_config(model_fixture(name)).language);
  };
  CHECK(of_fixture("legacy") == 256);
  CHECK(of_fixture("rope_linear") == 4 * 256);
  CHECK(of_fixture("rope_llama3") == 256);  // 8 * 32: already so in the file

  LanguageConfig language;
  language.max_positions = 4096;
  CHECK(usable_positions(language) == 4096);
  language.rope = {.scaling = "llama3", .factor = 8.0, .original_max_positions = 8192};
  language.max_positions = 131072;  // LLaMA 3.1's own
  CHECK(usable_positions(language) == 131072);
  language.max_positions = 8192;
  CHECK(usable_positions(language) == 65536);
  for (const double factor : {0.5, -3.0}) {
    language.rope.factor = factor;
    CHECK(usable_positions(language) == 8192);
  }
  language.rope.factor = 1e300;
  CHECK(usable_positions(language) > 8192);
}

TEST_CASE("a picture's token may lie behind the vocabulary as far as added tokens do") {
  const TemporaryFolder folder;
  nlohmann::json config = read_json(model_fixture("legacy") / "config.json");
  const auto read = [&](const char* key, int64_t token) {
    config.erase("image_token_index");
    config[key] = token;
    write_json(folder.path() / "config.json", config);
    config.erase(key);
    return read_llava_config(folder.path()).image_token_id;
  };
  const int64_t vocab = 131;
  for (const char* key : {"image_token_index", "image_token_id"}) {
    for (const int64_t token : {vocab - 2, vocab, vocab + 1})
      CHECK(read(key, token) == token);
    CHECK_THROWS_AS(read(key, 1000), UserError);
  }
}
