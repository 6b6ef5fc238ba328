#include "report/html_page.h"

#include "report/report_files.h"

using namespace qslaw;

TEST_CASE("what has no content is not drawn") {
  const Html none;
  CHECK(html_table({"", {"a", "b"}, {}}).code == "");
  CHECK(html_panel("Title", html_table({"", {"a"}, {}})).code == "");
  CHECK(html_figure("Title", none, "Caption.").code == "");
  CHECK(html_figures({none, none}).code == "");
  CHECK(html_facts({}).code == "");
  CHECK(html_cards({}).code == "");
}

TEST_CASE("only figures that are drawn count for the rows") {
  const Html none, figure = html_figure("Title", html_text("x"));
  CHECK(occurrences(html_figures({figure, figure, figure}).code, "figures odd") == 1);
  CHECK(occurrences(html_figures({figure, none, figure}).code, "figures odd") == 0);
  CHECK(occurrences(html_figures({figure, figure, none, figure}).code, "figures odd") == 1);
}

TEST_CASE("a column that is empty in all rows is left out") {
  Table table{"", {"stage", "device", "host"}, {}};
  table.add_row({cell("tune"), empty_cell(), count_cell(1)});
  table.add_row({cell("eval"), empty_cell(), empty_cell()});
  CHECK(html_table(table).code ==
        "<div class=\"scroll\"><table><thead><tr><th>stage</th><th class=\"num\">host</th></tr></thead>"
        "<tbody><tr><td><span>tune</span></td><td class=\"num\">1</td></tr>"
        "<tr><td><span>eval</span></td><td class=\"num\"></td></tr></tbody></table></div>");
  table.add_row({cell("export"), count_cell(7), count_cell(2)});
  CHECK(occurrences(html_table(table).code, ">device<") == 1);
}

TEST_CASE("long names in tables may be broken between their words") {
  Table table{"", {"new_pictures accuracy"}, {}};
  table.add_row({cell("export/hf_base")});
  table.add_row({cell("tune.max_steps: 2.5")});
  const std::string code = html_table(table).code;
  CHECK(occurrences(code, "new_<wbr/>pictures accuracy") == 1);
  CHECK(occurrences(code, "export/<wbr/>hf_<wbr/>base") == 1);
  CHECK(occurrences(code, "tune.<wbr/>max_<wbr/>steps: 2.5") == 1);
}
