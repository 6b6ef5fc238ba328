#include "report/table.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.h"
#include "report/number_text.h"

using namespace qslaw;

namespace {

Table small_table() {
  Table table{"Accuracy", {"run", "accuracy", "packed", "n"}, {}};
  table.add_row({cell("qslaw"), cell(91.04, 2), bytes_cell(int64_t{6} << 30), count_cell(4241)});
  table.add_row({cell("rtn_w2"), cell(8.5, 2), empty_cell(), count_cell(12)});
  return table;
}

}  // namespace

TEST_CASE("numbers stand right, text left, lines end without blanks") {
  CHECK(table_text(small_table()) ==
        "Accuracy\n"
        "run     accuracy    packed      n\n"
        "------  --------  --------  -----\n"
        "qslaw      91.04  6.00 GiB  4,241\n"
        "rtn_w2      8.50               12\n");
}

TEST_CASE("columns are measured in characters, wide ones twice") {
  Table table{"", {"name", "x"}, {}};
  table.add_row({cell("M\xC3\xBCnchen"), cell(1, 0)});
  table.add_row({cell("\xE6\x9D\xB1\xE4\xBA\xAC"), cell(2, 0)});
  table.add_row({cell("e\xCC\x81"), cell(3, 0)});
  CHECK(table_text(table) ==
        "name     x\n"
        "-------  -\n"
        "M\xC3\xBCnchen  1\n"
        "\xE6\x9D\xB1\xE4\xBA\xAC     2\n"
        "e\xCC\x81        3\n");
}

TEST_CASE("cells cannot tear the layout") {
  Table table{"a\nb", {"x"}, {}};
  table.add_row({cell("one\ntwo\tthree\x1B[31m")});
  CHECK(table_text(table) == "a b\nx\n------------------\none two three\xEF\xBF\xBD[31m\n");
}

TEST_CASE("values that are missing, not finite or huge") {
  Table table{"", {"x"}, {}};
  table.add_row({cell(std::nan(""), 2)});
  table.add_row({cell(1e300, 2)});
  table.add_row({seconds_cell(INFINITY)});
  table.add_row({});
  CHECK(table_text(table) == "    x\n-----\n  n/a\n1e300\n  n/a\n\n");
  CHECK(table_json(table)["rows"][0]["x"].is_null());
  CHECK(table_json(table)["rows"][1]["x"] == 1e300);
}

TEST_CASE("results are counts, sizes or numbers with decimals by their JSON") {
  CHECK(metric_cell("n", 4241).text == "4,241");
  CHECK(metric_cell("n", size_t{16}).text == "16");
  CHECK(metric_cell("peak_host_bytes", int64_t{3} << 29).text == "1.50 GiB");
  CHECK(metric_cell("peak_host_bytes", int64_t{3} << 29).value == int64_t{3} << 29);
  CHECK(metric_cell("loss", 16.0).text == "16.0000");
  CHECK(metric_cell("loss", nlohmann::json::parse("720")).text == "720");
  CHECK(metric_cell("loss", nullptr).text == "n/a");
  CHECK(metric_cell("loss", std::nan("")).value.is_null());
}

TEST_CASE("a table without rows is its header") {
  CHECK(table_text({"", {"a", "b"}, {}}) == "a  b\n-  -\n");
  CHECK(table_json({"t", {"a"}, {}}).dump() == "{\"title\":\"t\",\"rows\":[]}");
}

TEST_CASE("a row longer than the header breaks an invariant") {
  Table table{"", {"a"}, {}};
  CHECK_THROWS_AS(table.add_row({cell("1"), cell("2")}), InternalError);
}

TEST_CASE("JSON keeps the columns' order and the values behind the text") {
  CHECK(table_json(small_table()).dump() ==
        "{\"title\":\"Accuracy\",\"rows\":[{\"run\":\"qslaw\",\"accuracy\":91.04,\"packed\":6442450944,\"n\":"
        "4241},"
        "{\"run\":\"rtn_w2\",\"accuracy\":8.5,\"packed\":null,\"n\":12}]}");
}

TEST_CASE("numbers as people read them") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(-1234567) == "-1,234,567");
  CHECK(format_count(INT64_MIN) == "-9,223,372,036,854,775,808");
  CHECK(format_short(0.0002) == "0.0002");
  CHECK(format_short(0.00002) == "2e-5");
  CHECK(format_short(84254720) == "84.25M");
  CHECK(format_short(4241) == "4,241");
  CHECK(format_short(999.94) == "999.9");
  CHECK(format_short(999.96) == "1,000");
  CHECK(format_short(1.5e15) == "1.5e15");
  CHECK(format_short(-INFINITY) == "n/a");
  CHECK(format_size(1e300) != "");
  CHECK(format_metric("accuracy", 91.037) == "91.04 %");
  for (const char* key : {"f1", "question_accuracy", "color_accuracy_plus"})
    CHECK(format_metric(key, 40) == "40.00 %");
  CHECK(format_metric("perplexity", 5.46) == "5.460");
  CHECK(format_metric("perplexity_low", 5.4) == "5.400");
  CHECK(format_metric("peak_host_bytes", 1024) == "1.00 KiB");
  CHECK(format_metric("steps", 700) == "700");
  CHECK(format_metric("perception", 1325.5) == "1,326");
  for (const char* key : {"seconds", "accuracy", "loss", "tokens_per_second", "n"}) {
    CHECK(format_metric(key, 1e300).substr(0, 5) == "1e300");
    CHECK(format_metric(key, -1e300).substr(0, 6) == "-1e300");
  }
}

TEST_CASE("decimals where they tell values apart, one way of writing thousands everywhere") {
  CHECK(format_decimals(3.95844, 3) == "3.958");
  CHECK(format_decimals(-0.5, 1) == "-0.5");
  for (double zero : {-0.0004, -0.0, 0.0004})
    CHECK(format_decimals(zero, 3) == "0.000");
  CHECK(format_decimals(-0.0006, 3) == "-0.001");
  CHECK(format_tick(-0.25, 0) == "0");
  CHECK(format_short(-0.0) == "0");
  CHECK(format_decimals(29990.744, 3) == "29,991");
  CHECK(format_decimals(-29990.744, 3) == "-29,991");
  CHECK(format_decimals(2.5e6, 2) == "2.5M");
  CHECK(format_decimals(INFINITY, 2) == "n/a");
  CHECK(format_tick(29990.5, 1) == "29,990.5");
  CHECK(format_tick(-1000, 0) == "-1,000");
  CHECK(format_tick(999.25, 2) == "999.25");
  // A table, a card and a terminal say the same of one perplexity.
  CHECK(cell(29990.744, 3).text == "29,991");
  CHECK(cell(29990.744, 3).value == 29990.744);
  CHECK(format_metric("perplexity", 29990.744) == "29,991");
  CHECK(metric_cell("perplexity", 29990.744).text == "29,991");
  CHECK(short_cell(0.00049420570).text == "0.0004942");
  CHECK(short_cell(std::nan("")).value.is_null());
}
