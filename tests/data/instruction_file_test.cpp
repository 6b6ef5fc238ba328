// Samples found by quotes and brackets are those that the JSON library finds, and nothing passes that it
// refuses.
#include "data/instruction_file.h"

#include <random>

#include "core/json_text.h"
#include "data_files.h"

using namespace qslaw;
using Catch::Contains;
using data_files::error_of;
using nlohmann::json;

namespace {

std::vector<json> samples_of(const std::filesystem::path& path, int64_t limit = 0) {
  const InstructionFile file(path, limit);
  std::vector<json> samples;
  for (int64_t i = 0; i < file.size(); ++i)
    samples.push_back(json::parse(file.read(i)));
  return samples;
}

std::string refusal(const data_files::Folder& folder, const std::string& bytes,
                    const std::string& name = "a.json") {
  const auto path = folder.write(name, bytes);
  return error_of([&] { InstructionFile(path, 0); });
}

// What a sample may hold, quotes, brackets and backslashes in odd places among it.
json random_value(std::mt19937& random, int depth) {
  const char* const pieces[] = {"\"", "\\", "{", "}", "[", "]", ",", ":", "a", "\n", "é", "😀", "\\\"", " "};
  std::string text;
  for (auto n = random() % 9; n > 0; --n)
    text += pieces[random() % std::size(pieces)];
  switch (depth > 3 ? random() % 5 : random() % 7) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return static_cast<int>(random() % 2000) - 1000;
    case 3:
      return (random() % 1000) * 1e-3;
    case 4:
      return text;
    case 5: {
      json list = json::array();
      for (auto n = random() % 4; n > 0; --n)
        list.push_back(random_value(random, depth + 1));
      return list;
    }
    default: {
      json object = json::object();
      for (auto n = random() % 4; n > 0; --n)
        object[text + std::to_string(n)] = random_value(random, depth + 1);
      return object;
    }
  }
}

json random_array(std::mt19937& random) {
  json array = json::array();
  for (auto n = 1 + random() % 6; n > 0; --n)
    array.push_back(random_value(random, 0));
  return array;
}

}  // namespace

TEST_CASE("instruction file: an array's samples are those of the JSON library") {
  const data_files::Folder folder;
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const json array = random_array(random);
    for (const int indent : {-1, 0, 2}) {
      const std::string text = array.dump(indent, ' ', /*ensure_ascii=*/round % 2 == 0);
      INFO(text);
      CHECK(json(samples_of(folder.write("a.json", " \t\r\n" + text + "\n "))) == array);
    }
    const std::vector<json> first = samples_of(folder.write("a.json", array.dump()), 2);
    CHECK(first == std::vector<json>(array.begin(), array.begin() + std::min<long>(2, array.size())));
  }
}

TEST_CASE("instruction file: with any byte changed it is refused exactly when it is no valid JSON") {
  const data_files::Folder folder;
  std::mt19937 random(6);
  constexpr std::string_view kBytes = "\"\\{}[],:0-.eE+tn \n\x01\xff\xc3\xa9u";
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = random_array(random).dump(round % 3 - 1);
    const size_t at = random() % text.size();
    const char byte = kBytes[random() % kBytes.size()];
    if (round % 3 == 0) text[at] = byte;
    if (round % 3 == 1) text.insert(at, 1, byte);
    if (round % 3 == 2) text.erase(at, 1 + random() % 3);
    const json expected = json::parse(text, nullptr, /*allow_exceptions=*/false);
    INFO(text);
    const auto path = folder.write("a.json", text);
    if (expected.is_array() && !expected.empty()) {
      ++accepted;
      CHECK(json(samples_of(path)) == expected);
    } else {
      CHECK_THROWS_AS(InstructionFile(path, 0), UserError);
    }
  }
  CHECK(accepted > 300);
  CHECK(accepted < 2700);
}

TEST_CASE("instruction file: nothing that is no instruction file ends the program") {
  const data_files::Folder folder;
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 3 == 0 ? "[" : round % 3 == 1 ? "{" : "";
    for (auto n = random() % 400; n > 0; --n)
      bytes += static_cast<char>(random() % (round % 2 == 0 ? 256 : 128));
    CHECK_FALSE(refusal(folder, bytes).empty());
  }
  CHECK_THAT(refusal(folder, "[" + std::string(100000, '[')), Contains("more than 64 levels"));
  CHECK_THAT(refusal(folder, "[" + std::string(100000, '{')),
             Contains("an unexpected '{' at line 1, column 3"));
  CHECK_THAT(refusal(folder, "[\"" + std::string(100000, '\\')), Contains("a text that ends too early"));
  CHECK_THAT(refusal(folder, "[1e999]"), Contains("sample 0, got a number out of range: 1e999"));
  CHECK_THAT(error_of([&] { InstructionFile(folder.path(), 0); }),
             Contains("expected a file, got the folder"));
  CHECK_THAT(error_of([&] { InstructionFile("/dev/null", 0); }), Contains("expected a regular file"));
  CHECK_THAT(error_of([&] { InstructionFile(folder.path() / "none.json", 0); }), Contains("none.json"));
}

TEST_CASE("instruction file: a broken sample is named by its number, line, column and byte") {
  const data_files::Folder folder;
  const std::string path = (folder.path() / "a.json").string();
  const std::string start = "[data] expected valid JSON in " + path + ", sample ";
  const std::string good = R"({"id": "é", "text": "a \"b\" \\"})";
  const auto list = [&](const std::string& middle) { return "[" + good + ", " + good + ",\n  " + middle; };
  const auto at = [&](size_t before, const std::string& what) {
    const size_t byte = list("").size() + before;
    return start + "2, got " + what + " at line 2, column " + std::to_string(before + 3) + " (byte " +
           std::to_string(byte) + ")";
  };
  const auto check = [&](const std::string& middle, size_t before, const std::string& what) {
    INFO(middle);
    CHECK(refusal(folder, list(middle)) == at(before, what));
  };
  check(R"({"id": }, {}])", 7, "an unexpected '}'");
  check(R"({"id": "say "hi" to"}, {}])", 13, "an unexpected 'h'");
  check(R"({"id": "say "hi to"}, {}])", 13, "an unexpected 'h'");
  check(R"({"list": [{"a": 1}, {"b": 2}}, {}])", 28, "an unexpected '}'");
  check(R"({"a": 1, {"b": 2}, {"c": 3}])", 9, "an unexpected '{'");
  check("{\"a\": \"b\nc\"}]", 8, "a line break or control character within a string");
  check(R"({"a": "\x"}])", 8, "an unexpected 'x'");
  check("]", 0, "an unexpected ']'");
  check(", {}]", 0, "an unexpected ','");
  check("nul]", 3, "an unexpected ']'");
  // Between samples the number is that of the next one.
  CHECK(refusal(folder, "[{} {}]") == start + "1, got an unexpected '{' at line 1, column 5 (byte 4)");
  CHECK(refusal(folder, "[{}} , {}]") == start + "1, got an unexpected '}' at line 1, column 4 (byte 3)");
  CHECK(refusal(folder, "[{}] x") == start + "1, got an unexpected 'x' at line 1, column 6 (byte 5)");
  CHECK(refusal(folder, "[{}, {}") ==
        start + "2, got a text that ends too early at line 1, column 8 (byte 7)");
  CHECK(refusal(folder, "[{}, {\"a\": \"b") ==
        start + "1, got a text that ends too early at line 1, column 14 (byte 13)");
  // Bytes count what the file begins with.
  CHECK(refusal(folder, "\xef\xbb\xbf[{}, }]") ==
        start + "1, got an unexpected '}' at line 1, column 6 (byte 8)");
  const std::string lines = "\n" + good + "\n\n  {\"a\": 1,}\n" + good;
  CHECK_THAT(refusal(folder, lines, "a.jsonl"),
             Contains("a.jsonl, sample 1, got an unexpected '}' at line 4, column 11 (byte "));
  CHECK_THAT(refusal(folder, good + "\n{} {}\n", "a.jsonl"),
             Contains("a.jsonl, sample 1, got an unexpected '{' at line 2, column 4 (byte "));
}

TEST_CASE("instruction file: what lies behind the limit is not looked at") {
  const data_files::Folder folder;
  CHECK(samples_of(folder.write("a.json", "[1, {\"a\": 2}, broken"), 2).size() == 2);
  CHECK(samples_of(folder.write("a.jsonl", "{}\n\n{}\nbroken"), 2).size() == 2);
}

TEST_CASE("instruction file: one that is written to meanwhile is an error, one that is replaced is not") {
  const data_files::Folder folder;
  const auto path = folder.write("a.json", "[{\"a\": 1}, {\"b\": 2}]");
  const InstructionFile file(path, 0);
  const auto replacement = folder.write("new.json", "[]");
  SECTION("replaced") {
    std::filesystem::rename(replacement, path);
    CHECK(file.read(1) == "{\"b\": 2}");
  }
  SECTION("cut") {
    std::filesystem::resize_file(path, 3);
    CHECK_THAT(error_of([&] { file.read(1); }), Contains(path.string()) && Contains("written to since"));
  }
  SECTION("the same size at another time") {
    const auto time = std::filesystem::last_write_time(path);
    folder.write("a.json", "[{\"a\": 3}, {\"b\": 4}]");
    std::filesystem::last_write_time(path, time + std::chrono::seconds(1));
    CHECK_THAT(error_of([&] { file.read(0); }), Contains("written to since"));
  }
}
