#include "report/markup.h"

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("markup in text is escaped") {
  CHECK(escape_markup("<script>alert('x')</script>") == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  CHECK(escape_markup("a & \"b\"") == "a &amp; &quot;b&quot;");
  CHECK(escape_markup("&amp;") == "&amp;amp;");
}

TEST_CASE("what is no UTF-8 or no XML character is replaced, the rest kept") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(repair_text("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x88\n\t") == "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x88\n\t");
  CHECK(repair_text("a\xFF\xFE"
                    "b") == "a" + bad + bad + "b");
  CHECK(repair_text("\xC3") == bad);
  CHECK(repair_text("\xED\xA0\x80") == bad + bad + bad);  // a surrogate
  CHECK(repair_text("\xC0\xAF") == bad + bad);            // an overlong "/"
  CHECK(repair_text(std::string("a\0b\x1B\x7F", 5)) == "a" + bad + "b" + bad + bad);
  CHECK(repair_text("\xEF\xBF\xBF") == bad);
}

TEST_CASE("widths on a terminal") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xC3\xA9") == 1);
  CHECK(display_width("e\xCC\x81") == 1);
  CHECK(display_width("\xE6\x9D\xB1") == 2);
  CHECK(display_width("\xF0\x9F\x90\x88") == 2);
}

TEST_CASE("shortening never cuts a character") {
  CHECK(shorten("abc", 3) == "abc");
  CHECK(shorten("abcd", 3) == "ab\xE2\x80\xA6");
  CHECK(shorten("\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD", 4) == "\xE6\x9D\xB1\xE2\x80\xA6");
}

// RFC 4648, section 10.
TEST_CASE("base64 of the standard's test vectors") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xFF\xEF\xBE") == "/+++");
}
