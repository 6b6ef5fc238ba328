#include "report/svg_canvas.h"

#include <catch2/catch.hpp>
#include <tuple>

using namespace qslaw;

// Pillow's ImageFont.getlength of DejaVu Sans, and of DejaVu Sans Bold, at 12 px.
TEST_CASE("texts are not wider than what is kept for them") {
  const std::vector<std::tuple<std::string, double, double>> cases = {
      {"matched_omniquant_lora_3_1", 180.042, 198.710},
      {"omniquant + QSLAW warm-up, lora", 213.523, 238.806},
      {"29,991", 41.989, 46.307},
      {"MMMM", 41.414, 47.766},
      {"everything else", 92.936, 105.077},
      {"\xC3\x9C"
       "bergr\xC3\xB6\xC3\x9F"
       "e",
       63.076, 71.913},
      {"482.6 MiB", 60.089, 67.336},
      {"12 min 05 s", 70.864, 78.235}};
  for (const auto& [text, regular, bold] : cases) {
    CAPTURE(text);
    CHECK(text_width(text) >= regular);
    CHECK(text_width(text) <= 1.3 * regular);
    CHECK(bold_text_width(text) >= bold);
  }
  CHECK(shorten_to("omniquant", 200) == "omniquant");
  const std::string cut = shorten_to("omniquant + QSLAW warm-up, lora", 100);
  CHECK(cut.ends_with("\xE2\x80\xA6"));
  CHECK(text_width(cut) <= 100);
  CHECK(text_width(cut) > 75);
}
