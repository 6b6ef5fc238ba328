// Oracle: the sentencepiece package for Python and Hugging Face's splitting, restated in
// scripts/fixtures/make_conversation_fixtures.py; and SentencePiece itself. tokenizer_variants_test.cpp has
// thousands of strings of Hugging Face's own.
#include "io/tokenizer.h"

#include <sentencepiece_processor.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fs = std::filesystem;
using qslaw::Tokenizer;

namespace {

const fs::path kFolder = fs::path(QSLAW_FIXTURES) / "tokenizer";

std::string model_bytes() {
  std::ifstream in(kFolder / "tokenizer.model", std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A tokenizer's folder that goes away with the test.
struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "qslaw_tokenizer_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
    write("tokenizer.model", model_bytes());
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  std::string error() const {
    try {
      Tokenizer::load(path);
    } catch (const qslaw::UserError& problem) {
      return problem.what();
    }
    return "";
  }
  fs::path path;
};

std::vector<nlohmann::json> rows() {
  std::ifstream in(kFolder / "strings.jsonl");
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(nlohmann::json::parse(line));
  return out;
}

using Ids = std::vector<int64_t>;

}  // namespace

TEST_CASE("tokenizer: ids, spans and decoded text of 330 strings") {
  const auto tokenizer = Tokenizer::load(kFolder);
  size_t count = 0;
  for (const auto& row : rows()) {
    const auto text = row["text"].get<std::string>();
    INFO(text);
    const auto spans = tokenizer.encode_with_spans(text);
    Ids ids;
    std::vector<size_t> begins, ends;
    for (const auto& span : spans) {
      ids.push_back(span.id);
      begins.push_back(span.begin);
      ends.push_back(span.end);
    }
    CHECK(ids == row["ids"].get<Ids>());
    CHECK(ids == tokenizer.encode(text));
    CHECK(begins == row["begins"].get<std::vector<size_t>>());
    CHECK(ends == row["ends"].get<std::vector<size_t>>());
    CHECK(tokenizer.decode(ids) == row["decoded"].get<std::string>());
    ++count;
  }
  CHECK(count >= 300);
}

TEST_CASE("tokenizer: legacy false gives the dummy prefix to the text's beginning only") {
  const Folder folder;
  folder.write("added_tokens.json", R"({"<image>": 1200, "<pad>": 1201})");
  folder.write("tokenizer_config.json", R"({"legacy": false})");
  const auto tokenizer = Tokenizer::load(folder.path);
  size_t differing = 0;
  for (const auto& row : rows()) {
    INFO(row["text"].get<std::string>());
    CHECK(tokenizer.encode(row["text"].get<std::string>()) == row["ids_not_legacy"].get<Ids>());
    differing += row["ids_not_legacy"] != row["ids"] ? 1 : 0;
  }
  CHECK(differing > 20);
}

TEST_CASE("tokenizer: a long text, encoded in parts, has the tokens of the whole") {
  std::string text;
  for (int repeat = 0; text.size() < 400'000; ++repeat) {
    for (const auto& row : rows()) {
      const auto part = row["text"].get<std::string>();
      if (part.find('<') == part.npos) text += part + (repeat % 3 == 0 ? "\n" : "\n\n  ");
    }
  }
  sentencepiece::SentencePieceProcessor reference;
  REQUIRE(reference.LoadFromSerializedProto(model_bytes()).ok());
  const auto whole = reference.EncodeAsImmutableProto(text);
  const auto spans = Tokenizer::load(kFolder).encode_with_spans(text);
  REQUIRE(spans.size() == whole.pieces_size());
  size_t differing = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    const auto piece = whole.pieces(static_cast<int>(i));
    const bool same =
        spans[i].id == piece.id() && spans[i].begin == piece.begin() && spans[i].end == piece.end();
    differing += same ? 0 : 1;
  }
  CHECK(differing == 0);
}

TEST_CASE("tokenizer: special ids, size, and what decode leaves out") {
  const auto tokenizer = Tokenizer::load(kFolder);
  CHECK(tokenizer.unk_id() == 0);
  CHECK(tokenizer.bos_id() == 1);
  CHECK(tokenizer.eos_id() == 2);
  CHECK(tokenizer.size() == 1202);
  CHECK(tokenizer.special_id("<image>") == 1200);
  CHECK(tokenizer.special_id("</s>") == 2);
  CHECK_FALSE(tokenizer.special_id("<mask>").has_value());
  CHECK(tokenizer.encode("").empty());
  Ids ids = tokenizer.encode("What is this?");
  for (const int64_t extra : {0, 1, 2, 1200, 1201, 1202, 99999})
    ids.insert(ids.begin() + 1, extra);
  ids.insert(ids.begin(), {-200, -1});
  CHECK(tokenizer.decode(ids) == "What is this?");
  CHECK(tokenizer.decode({}).empty());
}

TEST_CASE("tokenizer: added_tokens_decoder, with tokens that swallow white space") {
  const Folder folder;
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {
      "0": {"content": "<unk>"}, "1": {"content": "<s>"},
      "1200": {"content": "<left>", "lstrip": true}, "1201": {"content": "<right>", "rstrip": true, "special": false},
      "1202": {"content": "<right><left>"}}})");
  const auto tokenizer = Tokenizer::load(folder.path);
  CHECK(tokenizer.size() == 1203);
  CHECK(tokenizer.highest() == std::pair<std::string, int64_t>("<right><left>", 1202));
  const auto expect = [&](const std::string& text, const Ids& before, int64_t id, const Ids& after) {
    Ids ids = before;
    ids.push_back(id);
    ids.insert(ids.end(), after.begin(), after.end());
    CHECK(tokenizer.encode(text) == ids);
  };
  const Ids a = tokenizer.encode("a"), b = tokenizer.encode("b");
  expect("a \t\u3000<left>b", a, 1200, b);
  expect("a <left> b", a, 1200, tokenizer.encode(" b"));
  expect("a<right> \n\u00a0b", a, 1201, b);
  expect("a <right> b", tokenizer.encode("a "), 1201, b);
  expect("a<right><left>b", a, 1202, b);  // the longest match
  expect("  <left>", {}, 1200, {});
  const auto spans = tokenizer.encode_with_spans("a<right>  b");
  CHECK(spans.back().begin == 10);
  CHECK(spans.back().end == 11);
}

TEST_CASE("tokenizer: the highest id is that of any added token, whatever their number") {
  const Folder folder;
  CHECK(Tokenizer::load(folder.path).highest().second == Tokenizer::load(folder.path).size() - 1);
  folder.write("added_tokens.json", R"({"<far>": 5000, "<near>": 1200})");
  const auto tokenizer = Tokenizer::load(folder.path);
  CHECK(tokenizer.size() < 1300);
  CHECK(tokenizer.highest() == std::pair<std::string, int64_t>("<far>", 5000));
  CHECK(tokenizer.encode("<far>") == Ids{5000});
}

TEST_CASE("tokenizer: a missing, cut or foreign model is refused") {
  const Folder folder;
  const std::string bytes = model_bytes();
  // The file ends with normalizer_spec and an empty denormalizer_spec (2 bytes): any deeper cut loses
  // something.
  for (size_t size = 0; size + 2 < bytes.size(); size += size < 200 ? 1 : 41) {
    folder.write("tokenizer.model", bytes.substr(0, size));
    INFO(size);
    CHECK_THAT(folder.error(),
               Catch::Contains("expected a whole SentencePiece model in " + folder.path.string()));
  }
  folder.write("tokenizer.model", bytes.substr(0, bytes.size() - 3));
  CHECK_THAT(folder.error(), Catch::Contains("damaged or cut file"));
  folder.write("tokenizer.model", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
  CHECK(folder.error() ==
        "[tokenizer] expected a SentencePiece model, got a pointer of git-lfs, which `git lfs pull` replaces "
        "(" +
            (folder.path / "tokenizer.model").string() + ")");
  for (const char* other : {"{\"json\": true}", "\x80\x02}q."}) {
    folder.write("tokenizer.model", other);
    CHECK_THAT(folder.error(), Catch::Contains("expected a whole SentencePiece model"));
  }
  folder.write("tokenizer.model", bytes + "\x0a\x03\x0a\x01" + "a");  // one more piece "a"
  CHECK_THAT(folder.error(),
             Catch::Contains("expected a sound SentencePiece model, got a damaged one (" +
                             (folder.path / "tokenizer.model").string() + "; sentencepiece: a is"));
  fs::remove(folder.path / "tokenizer.model");
  CHECK_THAT(folder.error(), Catch::Contains("got no such file"));
}

TEST_CASE("tokenizer: bad added tokens are refused") {
  const std::vector<std::array<std::string, 3>> cases = {
      {"added_tokens.json", R"({"<image>": "x"})", "expected a whole number as the id of \"<image>\""},
      {"added_tokens.json", R"(["<image>"])", "expected an object of token: id"},
      {"added_tokens.json", R"({"<image>": )", "expected valid JSON"},
      {"added_tokens.json", R"({"": 1300})", "expected a token and an id >= 0"},
      {"added_tokens.json", R"({"<image>": -200})", "expected a token and an id >= 0"},
      {"added_tokens.json", R"({"<image>": 5})", "as the token with id 5"},
      {"tokenizer_config.json", R"([1])", "expected an object in"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": [1]})",
       "expected an object as added_tokens_decoder"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "<a>"}}})",
       "got the entry \"x\""},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"1200": {"content": 3}}})",
       "got the entry \"1200\""},
      {"tokenizer_config.json",
       R"({"added_tokens_decoder": {"1200": {"content": "<a>", "single_word": true}}})", "single_word"},
  };
  for (const auto& [name, content, message] : cases) {
    const Folder folder;
    folder.write(name, content);
    INFO(content);
    CHECK_THAT(folder.error(), Catch::Contains(message));
  }
  const Folder folder;
  folder.write("added_tokens.json", R"({"<image>": 1200})");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"1300": {"content": "<image>"}}})");
  CHECK_THAT(folder.error(), Catch::Contains("expected one id for \"<image>\""));
}
