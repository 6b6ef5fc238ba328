// Oracle: LlamaTokenizer of transformers 4.37.2, by scripts/fixtures/make_tokenizer_fixtures.py.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "core/error.h"
#include "io/json.h"
#include "io/tokenizer.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

using Ids = std::vector<int64_t>;

const fs::path kFolder = fs::path(QSLAW_FIXTURES) / "tokenizer";

// Model and expected ids: the embedded ones, or those that make_tokenizer_fixtures.py --model has made.
fs::path variants_folder() {
  const char* other = std::getenv("QSLAW_TOKENIZER_FIXTURE");
  return other != nullptr ? fs::path(other) : kFolder;
}

// The fixture's strings: its generator, repeated.
std::vector<std::string> fixture_strings(const json& fixture) {
  const auto fragments = fixture["fragments"].get<std::vector<std::string>>();
  uint64_t state = 12345;
  const auto draw = [&state](uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
  };
  std::vector<std::string> strings(fixture["strings"].get<size_t>());
  for (std::string& text : strings) {
    for (uint64_t left = 1 + draw(8); left > 0; --left)
      text += fragments[draw(fragments.size())];
  }
  return strings;
}

class Fnv {
 public:
  void add(int64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
      hash_ = (hash_ ^ (static_cast<uint64_t>(value) >> shift & 0xff)) * 0x100000001b3ULL;
  }
  std::string hex() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  uint64_t hash_ = 0xcbf29ce484222325ULL;
};

Tokenizer tokenizer_with(const TemporaryFolder& folder, const json& files, const fs::path& from = kFolder) {
  fs::copy_file(from / "tokenizer.model", folder.path() / "tokenizer.model");
  for (const auto& [name, content] : files.items())
    write_json(folder.path() / name, content);
  return Tokenizer::load(folder.path());
}

std::string error_with(const json& files) {
  const TemporaryFolder folder;
  try {
    tokenizer_with(folder, files);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("tokenizer: 6000 strings have the slow tokenizer's ids, with each kind of file for added tokens") {
  const bool legacy = GENERATE(true, false);
  INFO("legacy " << legacy);
  const json fixture = read_json(variants_folder() / "variants.json");
  const auto strings = fixture_strings(fixture);
  const size_t block = fixture["block"].get<size_t>();
  REQUIRE(strings.size() == 6000);
  REQUIRE(fixture["variants"].size() == 7);
  for (const auto& [name, variant] : fixture["variants"].items()) {
    INFO(name);
    const TemporaryFolder folder;
    json files = variant["files"];
    files["tokenizer_config.json"]["legacy"] = legacy;
    const Tokenizer tokenizer = tokenizer_with(folder, files, variants_folder());
    const json& expected = variant[legacy ? "legacy" : "not_legacy"];
    for (size_t i = 0; i < expected["first"].size(); ++i) {
      INFO(json(strings[i]).dump());
      CHECK(tokenizer.encode(strings[i]) == expected["first"][i].get<Ids>());
    }
    size_t differing = 0;
    for (size_t begin = 0; begin < strings.size(); begin += block) {
      Fnv hash;
      for (size_t i = begin; i < begin + block; ++i) {
        for (const int64_t id : tokenizer.encode(strings[i]))
          hash.add(id);
        hash.add(-1);
      }
      differing += hash.hex() == expected["hashes"][begin / block].get<std::string>() ? 0 : 1;
    }
    CHECK(differing == 0);
  }
}

TEST_CASE("tokenizer: tokenizer.json's added tokens count where nothing else says more") {
  const json entry = {{"id", 1200}, {"content", "<image>"}, {"lstrip", true}};
  const json fast = {{"added_tokens", json::array({entry})}};
  const json decoder = {{"added_tokens_decoder", {{"1200", {{"content", "<image>"}, {"lstrip", true}}}}}};
  const TemporaryFolder one, other, both;
  const Tokenizer from_fast = tokenizer_with(one, {{"tokenizer.json", fast}});
  const Tokenizer from_decoder = tokenizer_with(other, {{"tokenizer_config.json", decoder}});
  const std::string text = "What  <image>is this";
  CHECK(from_fast.encode(text) == from_decoder.encode(text));
  CHECK(from_fast.special_id("<image>") == 1200);
  const json others = {{"added_tokens", json::array({{{"id", 1300}, {"content", "<other>"}}})}};
  const Tokenizer first =
      tokenizer_with(both, {{"tokenizer.json", others}, {"tokenizer_config.json", decoder}});
  CHECK_FALSE(first.special_id("<other>").has_value());
  CHECK(first.size() == 1201);
}

TEST_CASE("tokenizer: a token with a part to play, but no id, gets the next one") {
  const TemporaryFolder folder;
  const Tokenizer tokenizer =
      tokenizer_with(folder, {{"added_tokens.json", {{"<image>", 1200}}},
                              {"special_tokens_map.json", {{"pad_token", "[PAD]"}, {"bos_token", ""}}}});
  CHECK(tokenizer.size() == 1202);
  CHECK(tokenizer.special_id("[PAD]") == 1201);
  CHECK(tokenizer.encode("[PAD]") == Ids{1201});
  CHECK(tokenizer.decode({1201, 1, 2}).empty());
  CHECK(tokenizer.encode("<s>") != Ids{1});  // no longer special in a text
  CHECK(tokenizer.encode("</s>") == Ids{2});
}

TEST_CASE("tokenizer: malformed special tokens are refused") {
  CHECK_THAT(error_with({{"special_tokens_map.json", {{"pad_token", 3}}}}),
             Catch::Contains("expected a text or {content: text} as pad_token"));
  CHECK_THAT(error_with({{"special_tokens_map.json", json::array({1})}}),
             Catch::Contains("expected an object in"));
  CHECK_THAT(
      error_with({{"special_tokens_map.json", {{"pad_token", {{"content", "<p>"}, {"single_word", true}}}}}}),
      Catch::Contains("single_word"));
  CHECK_THAT(error_with({{"tokenizer.json", {{"added_tokens", json::array({{{"id", 1}}})}}}}),
             Catch::Contains("expected {id, content} in added_tokens"));
}
