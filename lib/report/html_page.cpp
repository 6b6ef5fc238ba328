#include "report/html_page.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "report/html_style.h"

namespace qslaw {
namespace {

// The browser itself then refuses scripts and anything from outside, whatever a name in the data might
// contain.
constexpr const char* kPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

Html head(const Page& page) {
  return {concat(
      "<head><meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\" content=\"", kPolicy,
      "\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n<link rel=\"icon\" href=\"data:,\"/>\n<title>",
      escape_markup(page.title), "</title>\n<style>", kReportStyle, "</style></head>\n")};
}

Html contents(const Page& page) {
  Html items;
  for (const PageSection& section : page.sections) {
    items += Html{concat("<li><a href=\"#", section.id, "\">", escape_markup(section.title), "</a></li>")};
  }
  return html_element("nav", "", html_element("ul", "", items));
}

// Long names may be broken after an underscore, slash or dot, not in the middle of a word or number.
Html breakable(const std::string& text) {
  const std::string escaped = escape_markup(text);
  std::string out;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const char c = escaped[i];
    const bool before_letter =
        i + 1 < escaped.size() && std::isalpha(static_cast<unsigned char>(escaped[i + 1]));
    out += c;
    if (c == '_' || c == '/' || (c == '.' && before_letter)) out += "<wbr/>";
  }
  return {out};
}

Html chips(const std::vector<std::string>& texts) {
  Html items;
  for (const std::string& text : texts)
    items += html_element("li", "", html_text(text));
  return texts.empty() ? Html{} : html_element("ul", "chips", items);
}

Html section_html(const PageSection& section) {
  Html content = html_element("h2", "", html_text(section.title));
  if (!section.lead.empty()) content += html_element("p", "lead", html_text(section.lead));
  content += section.body;
  return {concat("<section id=\"", section.id, "\">", content.code, "</section>\n")};
}

bool is_blank(const Table& table, size_t column) {
  return std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return row[column].text.empty(); });
}

Html table_row(const Table& table, const std::vector<size_t>& columns, const std::vector<TableCell>& row) {
  Html cells;
  for (size_t c : columns) {
    const std::string css_class = table.is_numeric(c) ? "num" : "";
    // The first one's text has an element of its own, whose width the style sheet can limit.
    const Html text = breakable(row[c].text);
    cells += html_element("td", css_class, c == columns[0] ? html_element("span", "", text) : text);
  }
  return html_element("tr", "", cells);
}

}  // namespace

std::string html_page(const Page& page) {
  Html header = html_element("p", "eyebrow", html_text(page.eyebrow));
  header += html_element("h1", "", breakable(page.title));
  header += chips(page.chips);
  header += contents(page);
  Html main = page.summary;
  for (const PageSection& section : page.sections)
    main += section_html(section);
  Html body = html_element("header", "", header);
  body += html_element("main", "", main);
  body += html_element("footer", "", html_text(page.footer));
  return concat("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">", head(page).code,
                html_element("body", "", body).code, "</html>\n");
}

Html html_cards(const std::vector<Card>& cards) {
  Html out;
  for (const Card& card : cards) {
    Html content = html_element("p", "name", html_text(card.name));
    content += html_element("p", "number", html_text(card.number));
    if (!card.note.empty()) content += html_element("p", "note", html_text(card.note));
    out += html_element("div", "card", content);
  }
  return cards.empty() ? Html{} : html_element("div", "cards", out);
}

Html html_figure(const std::string& title, const Html& content, const std::string& caption) {
  if (content.code.empty()) return {};
  Html out = html_element("h3", "", html_text(title));
  out += content;
  if (!caption.empty()) out += html_element("figcaption", "", html_text(caption));
  return html_element("figure", "", out);
}

Html html_figures(const std::vector<Html>& figures) {
  Html out;
  size_t count = 0;
  for (const Html& figure : figures) {
    count += figure.code.empty() ? 0 : 1;
    out += figure;
  }
  // An odd number would leave a hole: the first three then share a row.
  const bool odd = count >= 3 && count % 2 == 1;
  return count == 0 ? Html{} : html_element("div", odd ? "figures odd" : "figures", out);
}

Html html_panel(const std::string& title, const Html& content) {
  if (content.code.empty()) return {};
  Html out = title.empty() ? Html{} : html_element("h3", "", html_text(title));
  out += content;
  return html_element("div", "panel", out);
}

Html html_table(const Table& table) {
  if (table.rows.empty()) return {};
  std::vector<size_t> columns;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (!is_blank(table, c)) columns.push_back(c);
  }
  Html header, rows;
  for (size_t c : columns)
    header += html_element("th", table.is_numeric(c) ? "num" : "", breakable(table.columns[c]));
  for (const auto& row : table.rows)
    rows += table_row(table, columns, row);
  Html content = html_element("thead", "", html_element("tr", "", header));
  content += html_element("tbody", "", rows);
  return html_element("div", "scroll", html_element("table", "", content));
}

Html html_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  if (facts.empty()) return {};
  Html out;
  for (const auto& [name, value] : facts) {
    Html pair = html_element("dt", "", html_text(name));
    pair += html_element("dd", "", html_text(value));
    out += html_element("div", "", pair);
  }
  return html_element("dl", "facts", out);
}

}  // namespace qslaw
