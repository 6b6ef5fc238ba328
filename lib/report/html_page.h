// The building blocks of a report page. One file, no scripts, nothing loaded from outside; also well-formed
// XML. Plain text arguments are escaped here.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "report/markup.h"
#include "report/table.h"

namespace qslaw {

/// A part of the page with a heading and an entry in the table of contents.
struct PageSection {
  std::string id;  // a literal of ours, unique on the page
  std::string title;
  std::string lead;  // a sentence or two under the title; may be empty
  Html body;
};

struct Page {
  std::string eyebrow;  // the small line above the title
  std::string title;
  std::vector<std::string> chips;  // short facts under the title
  Html summary;                    // between the title and the first section
  std::vector<PageSection> sections;
  std::string footer;
};

/// The whole file.
std::string html_page(const Page& page);

/// One headline number.
struct Card {
  std::string name;
  std::string number;
  std::string note;
};
Html html_cards(const std::vector<Card>& cards);

// What has no content is not drawn: no figure without a chart, no panel or section around nothing.

/// A chart with title and caption (may be empty).
Html html_figure(const std::string& title, const Html& content, const std::string& caption = "");

/// Figures two abreast, or one below the other on narrow screens.
Html html_figures(const std::vector<Html>& figures);

/// A framed box with a title (may be empty).
Html html_panel(const std::string& title, const Html& content);

/// A table without the columns that are empty in all rows; one without rows is nothing. Wider than its place
/// it scrolls there, below a first column that stays.
Html html_table(const Table& table);

/// Names over values, in as many columns as fit.
Html html_facts(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace qslaw
