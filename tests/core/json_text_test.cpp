#include "core/json_text.h"

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace qslaw;

namespace {

std::string refusal(const std::string& text, size_t first_line = 1) {
  try {
    parse_json(text, "data", "some.json", first_line);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("malformed JSON: what is wrong, at which line and column") {
  const std::string start = "[data] expected valid JSON in some.json, got ";
  CHECK(refusal("{\"a\": [1, 2],\n \"b\": ") == start + "a text that ends too early at line 2, column 6");
  CHECK(refusal("{\"a\": \"cut") == start + "a text that ends too early at line 1, column 11");
  CHECK(refusal("{\"a\": 1\n\n") == start + "a text that ends too early at line 1, column 8");
  CHECK(refusal("{\"a\": }") == start + "an unexpected '}' at line 1, column 7");
  CHECK(refusal("[1,\n2 3]") == start + "an unexpected '3' at line 2, column 3");
  CHECK(refusal("[\"\xC3\xA9\xE7\x8C\xAB\", !]") == start + "an unexpected '!' at line 1, column 8");
  CHECK(refusal("[\"\xFF\"]") == start + "bytes that are not UTF-8 at line 1, column 3");
  CHECK(refusal("[\"a\nb\"]") ==
        start + "a line break or control character within a string at line 1, column 4");
  CHECK(refusal("") == start + "nothing (line 1)");
  CHECK(refusal(" \n") == start + "nothing (line 1)");
  CHECK(refusal("{} x", 12) == start + "an unexpected 'x' at line 12, column 4");
  CHECK(refusal("[1e999]") == start + "a number out of range: 1e999");
  CHECK(refusal("[1]") == "");
}

TEST_CASE("JSON of more than 64 levels is refused, at any size") {
  const auto nested = [](size_t levels, const std::string& open, const std::string& close) {
    std::string text;
    for (size_t i = 0; i < levels; ++i)
      text += open;
    text += "1";
    for (size_t i = 0; i < levels; ++i)
      text += close;
    return text;
  };
  const std::string expected = "[data] expected at most 64 levels of JSON in some.json, got more";
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    INFO(open);
    CHECK(refusal(nested(64, open, close)) == "");
    CHECK(refusal(nested(65, open, close)) == expected);
    CHECK(refusal(nested(3'000'000, open, close)) == expected);
  }
  CHECK(refusal(std::string(3'000'000, '[')) == expected);
  const auto keep_none = [](int, nlohmann::json::parse_event_t, nlohmann::json&) { return false; };
  CHECK_THROWS_WITH(parse_json(nested(65, "[", "]"), "data", "some.json", 1, keep_none), expected);
}

TEST_CASE("brackets in strings are no levels, and of two faults the first is told") {
  const std::string many(100, '[');
  const nlohmann::json value = {{many, {"{\"" + many, many + "\\", "\\\"" + many}}};
  const std::string text = value.dump();
  CHECK(refusal(text) == "");
  CHECK(parse_json(text, "data", "some.json") == value);
  CHECK(refusal("[\"\\\\\"," + many) == "[data] expected at most 64 levels of JSON in some.json, got more");
  const std::string start = "[data] expected valid JSON in some.json, got an unexpected '";
  CHECK(refusal("[!" + many) == start + "!' at line 1, column 2");
  CHECK(refusal(std::string(64, '[') + "!" + many) == start + "!' at line 1, column 65");
  CHECK(refusal("]]" + many) == start + "]' at line 1, column 1");
}

// Where each object costs as much as all before it these take minutes.
TEST_CASE("an object or an array of 200,000 objects is read") {
  constexpr int kCount = 200'000;
  std::string object = "{", array = "[";
  for (int i = 0; i < kCount; ++i) {
    const std::string number = std::to_string(i), value = "{\"n\":" + number + "}";
    object += (i > 0 ? ",\"" : "\"") + number + "\":" + value;
    array += (i > 0 ? "," : "") + value;
  }
  const nlohmann::json by_name = parse_json(object + "}", "data", "some.json"),
                       in_order = parse_json(array + "]", "data", "some.json");
  REQUIRE(by_name.size() == kCount);
  REQUIRE(in_order.size() == kCount);
  int wrong = 0;
  for (int i = 0; i < kCount; ++i)
    wrong += by_name.at(std::to_string(i)).at("n") == i && in_order.at(i).at("n") == i ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("values that the callback refuses are dropped while JSON is parsed") {
  const auto keep = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) { return depth != 1; };
  CHECK(parse_json("[1, [2], 3]", "data", "some.json", 1, keep) == nlohmann::json::array());
}

TEST_CASE("a fault of JSON is found where parsing it complains") {
  for (const std::string text :
       {"{\"a\": }", "[1,\n2 3]", "[\"a\nb\"]", "[\"\xFF\"]", "{\"a\": \"cut", "[1] x", "", "[1e999]"}) {
    const auto fault = find_json_fault(text);
    REQUIRE(fault);
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains("got " + fault->what));
    if (fault->offset > 0)
      CHECK_THAT(refusal(text), Catch::EndsWith(" at " + text_position(text, fault->offset)));
  }
  CHECK(find_json_fault(std::string(65, '[') + std::string(65, ']'))->what == "more than 64 levels");
  CHECK_FALSE(find_json_fault(std::string(64, '[') + std::string(64, ']')));
  CHECK_FALSE(find_json_fault("{\"a\": [1, {\"b\": null}]}"));
}

TEST_CASE("bytes that are not UTF-8 become the replacement sign, all others stay") {
  const std::string sign = "\xEF\xBF\xBD";
  CHECK(valid_utf8("caf\xC3\xA9 \xE7\x8C\xAB\n\"\\") == "caf\xC3\xA9 \xE7\x8C\xAB\n\"\\");
  CHECK(valid_utf8("") == "");
  CHECK(valid_utf8("cut \xE7\x8C") == "cut " + sign);  // one for a character that ends too early
  CHECK(valid_utf8("\xFF") == sign);
  CHECK(dump_lenient({{"a", "b\xFF"}}) == "{\"a\":\"b" + sign + "\"}");
  CHECK(dump_lenient({{"a", 1}}, 2) == "{\n  \"a\": 1\n}");
}
