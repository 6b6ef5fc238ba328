// Text into HTML, SVG and tables, safely. `Html` is a type of its own so that plain text cannot be taken for
// markup.
#pragma once
#include <string>
#include <string_view>

namespace qslaw {

/// Finished markup. Plain text gets here only through html_text.
struct Html {
  std::string code;
  Html& operator+=(const Html& other) {
    code += other.code;
    return *this;
  }
};

/// The text with every invalid UTF-8 byte and every character that XML forbids (control characters but tab
/// and newline) replaced by U+FFFD.
std::string repair_text(std::string_view text);

/// Repaired, with & < > " ' as character references: safe in elements and in quoted attributes, of HTML and
/// SVG.
std::string escape_markup(std::string_view text);

/// `text` escaped.
Html html_text(std::string_view text);

/// <tag class="css_class">content</tag>; `tag` and `css_class` are literals of ours.
Html html_element(std::string_view tag, std::string_view css_class, const Html& content);

/// How many terminal cells the UTF-8 text takes: 0 for combining marks, 2 for East Asian wide characters and
/// emoji.
int display_width(std::string_view text);

/// The first `cells` terminal cells of the text, the last one an ellipsis when something was cut.
std::string shorten(std::string_view text, int cells);

/// Base64 (RFC 4648, with padding).
std::string base64(std::string_view bytes);

}  // namespace qslaw
