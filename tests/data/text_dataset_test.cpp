#include <fstream>

#include "data_files.h"

using namespace qslaw;
using Catch::Contains;
using data_files::error_of;
using Ids = std::vector<int64_t>;

namespace {

struct Files {
  data_files::Folder folder;
  DataOptions options;

  explicit Files(const std::string& content, int64_t max_length, const std::string& name = "text.txt") {
    options.kind = "text";
    options.path = folder.write(name, content);
    options.max_length = max_length;
  }
  std::unique_ptr<Dataset> open() const { return make_dataset(options, {&data_files::tokenizer()}); }
};

// Every string of the tokenizer fixture in one text.
std::string long_text() {
  std::string text;
  for (const auto& row : data_files::rows_of("tokenizer/strings.jsonl"))
    text += row["text"].get<std::string>() + "\n";
  return text;
}

}  // namespace

TEST_CASE("text data: blocks of BOS and the stream's next tokens, the last partial one is dropped") {
  const std::string text = long_text();
  const Ids stream = data_files::tokenizer().encode(text);  // checked in tests/io/tokenizer_test.cpp
  for (const int64_t max_length : {2, 7, 64, 1000}) {
    const auto dataset = Files(text, max_length).open();
    REQUIRE(dataset->size() == static_cast<int64_t>(stream.size()) / (max_length - 1));
    Ids joined;
    for (int64_t i = 0; i < dataset->size(); ++i) {
      const Sample block = dataset->at(i);
      REQUIRE(block.ids.size() == static_cast<size_t>(max_length));
      REQUIRE(block.ids.front() == 1);
      REQUIRE(block.labels == block.ids);
      REQUIRE(block.is_text());
      joined.insert(joined.end(), block.ids.begin() + 1, block.ids.end());
    }
    CHECK(joined == Ids(stream.begin(), stream.begin() + static_cast<long>(joined.size())));
    CHECK(stream.size() - joined.size() < static_cast<size_t>(max_length - 1));
  }
}

TEST_CASE("text data: a short text is one partial block") {
  const auto dataset = Files("Hello there.", 100).open();
  REQUIRE(dataset->size() == 1);
  Ids ids = data_files::tokenizer().encode("Hello there.");
  ids.insert(ids.begin(), 1);
  CHECK(dataset->at(0).ids == ids);
  CHECK(dataset->at(0).id == "0");
}

TEST_CASE("text data: documents of a .jsonl file are joined by an empty line") {
  const Files lines("{\"text\": \"One.\\nTwo é\"}\n\n{\"id\": 1, \"text\": \"Three\"}\r\n{\"text\": \"\"}", 6,
                    "text.jsonl");
  const Files plain("One.\nTwo é\n\nThree\n\n", 6);
  const auto a = lines.open(), b = plain.open();
  REQUIRE(a->size() == b->size());
  for (int64_t i = 0; i < a->size(); ++i)
    CHECK(a->at(i).ids == b->at(i).ids);
}

TEST_CASE("text data: C4's .json is JSON lines, and documents are joined as asked") {
  Files lines("{\"text\": \"One\"}\n{\"text\": \"Two\"}\n", 4, "c4-validation.00000-of-00008.json");
  lines.options.join = " ";
  const auto joined = lines.open(), plain = Files("One Two", 4).open();
  REQUIRE(joined->size() == plain->size());
  for (int64_t i = 0; i < plain->size(); ++i)
    CHECK(joined->at(i).ids == plain->at(i).ids);
}

TEST_CASE("text data: lines of a plain file as rows of Hugging Face's datasets") {
  // wikitext.py: `{"text": row} if row.strip() else {"text": ""}` for every line that Python's open() yields.
  Files lines(" \n = One = \n\xc2\xa0\n Two\r\n\r\nThree", 9);
  const auto whole = lines.open();
  CHECK(whole->fingerprint() == lines.open()->fingerprint());
  lines.options.join = "\n\n";
  const auto joined = lines.open(), rows = Files("\n\n = One = \n\n\n\n\n Two\n\n\n\n\nThree", 9).open();
  CHECK(joined->fingerprint() == rows->fingerprint());  // of the text, among others
  CHECK(joined->fingerprint() != whole->fingerprint());
  REQUIRE(joined->size() == rows->size());
  for (int64_t i = 0; i < rows->size(); ++i)
    CHECK(joined->at(i).ids == rows->at(i).ids);
}

TEST_CASE("text data: windows of a stream leave tokens out and have BOS once") {
  Files files(long_text(), 7);
  Ids stream = data_files::tokenizer().encode(long_text());
  stream.insert(stream.begin(), 1);
  files.options.windows = "stream";
  const auto dataset = files.open();
  REQUIRE(dataset->size() == static_cast<int64_t>(stream.size()) / 7);
  CHECK(dataset->fingerprint() != Files(long_text(), 7).open()->fingerprint());
  for (int64_t i = 0; i < dataset->size(); ++i) {
    CHECK(dataset->at(i).ids == Ids(stream.begin() + 7 * i, stream.begin() + 7 * (i + 1)));
    CHECK(dataset->at(i).labels == dataset->at(i).ids);
  }
  files.options.windows = "sliding";
  files.options.stride = 3;
  const Sample second = files.open()->at(1);
  CHECK(second.ids == Ids(stream.begin() + 3, stream.begin() + 10));
  Ids labels(4, kIgnoreLabel);
  labels.insert(labels.end(), stream.begin() + 7, stream.begin() + 10);
  CHECK(second.labels == labels);
  files.options.windows = "llama_cpp";
  const Sample half = files.open()->at(1);
  CHECK(half.ids.front() == 1);
  CHECK(Ids(half.ids.begin() + 1, half.ids.end()) == Ids(stream.begin() + 8, stream.begin() + 14));
  labels.assign(4, kIgnoreLabel);
  labels.insert(labels.end(), stream.begin() + 11, stream.begin() + 14);
  CHECK(half.labels == labels);
}

TEST_CASE("text data: limit, byte order mark and fingerprint") {
  Files files(long_text(), 16);
  const auto all = files.open();
  const auto marked = Files("\xef\xbb\xbf" + long_text(), 16).open();
  CHECK(marked->at(0).ids == all->at(0).ids);
  CHECK(marked->fingerprint() == all->fingerprint());
  files.options.limit = 3;
  CHECK(files.open()->size() == 3);
  CHECK(files.open()->fingerprint() != all->fingerprint());
  CHECK(Files(long_text() + ".", 16).open()->fingerprint() != all->fingerprint());
  CHECK(Files(long_text(), 17).open()->fingerprint() != all->fingerprint());
}

TEST_CASE("text data: bad files") {
  const auto error = [](const std::string& content, const std::string& name = "text.txt",
                        int64_t max_length = 8) {
    return error_of([&] { Files(content, max_length, name).open(); });
  };
  CHECK_THAT(error(""), Contains("expected text in"));
  CHECK_THAT(error("abc\nd\xc3(ef"), Contains("another encoding at byte 5 (line 2)"));
  CHECK_THAT(error("cut in a character \xe2\x96"), Contains("another encoding at byte 19 (line 1)"));
  CHECK_THAT(error("{\"text\": \"a\"}\n{\"text\": 3}", "t.jsonl"), Contains("line 2, got no such text"));
  CHECK_THAT(error("{\"text\": \"a\"}\n{\"story\": \"b\"}", "t.jsonl"), Contains("expected {\"text\": ...}"));
  CHECK_THAT(error("{\"text\": \"a\"}\n\n[1]", "t.jsonl"), Contains("line 3, got array"));
  CHECK_THAT(error("{\"text\": \"a\"}\n{\"text\"", "t.jsonl"),
             Contains("got a text that ends too early at line 2"));
  CHECK_THAT(error("\n\n", "t.jsonl"), Contains("expected text in"));
  CHECK_THAT(error("PAR1\x15\x04"), Contains("got Parquet"));
  CHECK_THAT(error("\x1f\x8b\x08", "t.jsonl"), Contains("got gzip"));
  CHECK_THAT(error("some text", "text.txt", 1), Contains("expected max_length >= 2, got 1"));
}
