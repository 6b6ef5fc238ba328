#include "report/svg_plot.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "report/chart_scale.h"
#include "report/report_files.h"
#include "report/xml_check.h"

using namespace qslaw;

namespace {

const double kNan = std::nan("");
const std::string kEvil = "</svg><script>&\"'\xFF";

std::string fault(const Html& html) {
  return XmlCheck::fault("<div>" + html.code + "</div>");
}

LineChart line_of(std::vector<ChartPoint> points) {
  LineChart chart;
  chart.x_title = chart.y_title = chart.description = kEvil;
  chart.series = {{kEvil, std::move(points), 1, 1}};
  chart.marks = {{2, kEvil}};
  return chart;
}

// The numbers behind each `name="` that follows `start` within one element.
std::vector<double> numbers_of(const std::string& text, const std::string& start, const std::string& name) {
  std::vector<double> out;
  for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const size_t begin = text.find(" " + name + "=\"", at) + name.size() + 3;
    REQUIRE(begin < text.find('>', at));
    out.push_back(std::stod(text.substr(begin)));
  }
  return out;
}

}  // namespace

TEST_CASE("line charts of any values are well-formed and free of numbers that are none") {
  const double huge = std::numeric_limits<double>::max();
  const std::vector<std::vector<ChartPoint>> cases = {
      {{1, 1}, {2, 2}, {3, 1}},
      {{1, 5}},
      {{1, 0}, {2, 0}},
      {{1, kNan}, {2, 3}, {3, INFINITY}, {4, -INFINITY}, {5, 4}},
      {{1, huge}, {2, -huge}, {3, 1e99}, {4, -1e99}},
      {{1e15, 1e-300}, {2e15, 1e-12}},
      {{-5, -1}, {5, 1e9}},
  };
  for (const auto& points : cases) {
    const Html html = line_chart(line_of(points));
    CHECK(fault(html) == "");
    CHECK(html.code.find("nan") == std::string::npos);
    CHECK(html.code.find("inf") == std::string::npos);
    CHECK(html.code.find("<script") == std::string::npos);
  }
}

TEST_CASE("charts of nothing are nothing") {
  LineChart line;
  line.series = {{"no points", {}, 1, 0}};
  BarChart bars;
  bars.groups = {{"no bars", {}}};
  HeatChart heat;
  heat.rows = {"no columns"};
  heat.values = {{}};
  for (const Html& html : {line_chart({}), line_chart(line), bar_chart({}), bar_chart(bars), box_chart({}),
                           heat_chart({}), heat_chart(heat)}) {
    CHECK(html.code == "");
  }
}

TEST_CASE("charts without a finite value say so") {
  BoxChart boxes;
  boxes.boxes = {{"0", kNan, kNan, kNan, kNan, kNan}};
  HeatChart heat;
  heat.rows = heat.columns = {"0"};
  heat.values = {{kNan}};
  for (const Html& html : {line_chart(line_of({{1, kNan}})), box_chart(boxes), heat_chart(heat)}) {
    CHECK(fault(html) == "");
    CHECK(html.code.find("<svg") == std::string::npos);
    CHECK(html.code.find("class=\"none\"") != std::string::npos);
  }
}

TEST_CASE("a gap breaks the line") {
  LineChart chart = line_of({{1, 1}, {2, 2}, {3, kNan}, {4, 2}, {5, 1}});
  const std::string code = line_chart(chart).code;
  const size_t path = code.find("curve s1", code.find("viewBox=\"0 0 560"));
  const std::string line = code.substr(path, code.find("/>", path) - path);
  CHECK(occurrences(line, "M") == 2);
  CHECK(occurrences(line, "L") == 2);
}

TEST_CASE("points lie where the scale says") {
  // Three equally spaced points of a straight line: the middle one must lie half-way.
  const std::string code = line_chart(line_of({{0, 0}, {10, 5}, {20, 10}})).code;
  const auto x = numbers_of(code, "<circle", "cx"), y = numbers_of(code, "<circle", "cy");
  REQUIRE(x.size() == 6);
  for (size_t picture : {size_t{0}, size_t{3}}) {
    // Coordinates are written with two decimals.
    CHECK(x[picture + 1] == Approx((x[picture] + x[picture + 2]) / 2).margin(0.011));
    CHECK(y[picture + 1] == Approx((y[picture] + y[picture + 2]) / 2).margin(0.011));
    CHECK(y[picture] > y[picture + 2]);
  }
}

TEST_CASE("a long curve stays small and keeps its spikes") {
  std::vector<ChartPoint> points;
  for (int i = 0; i < 200000; ++i)
    points.push_back({static_cast<double>(i), std::sin(i * 0.1)});
  points[123456].y = 7;
  points[99].y = kNan;
  const auto thin = thinned_points(points, 280);
  CHECK(thin.size() <= 2 * 280 + 1);
  const auto has = [&](auto test) { return std::any_of(thin.begin(), thin.end(), test); };
  CHECK(has([](const ChartPoint& p) { return p.x == 123456 && p.y == 7; }));
  CHECK(has([](const ChartPoint& p) { return p.x == 99 && std::isnan(p.y); }));
  CHECK(std::is_sorted(thin.begin(), thin.end(), [](const auto& a, const auto& b) { return a.x < b.x; }));
  CHECK(line_chart(line_of(points)).code.size() < 60000);
}

TEST_CASE("smoothing is the mean of the neighbors that are there") {
  const auto smooth = smoothed_points({{1, 1}, {2, 2}, {3, kNan}, {4, 6}, {5, 8}}, 1);
  CHECK(smooth[0].y == 1.5);
  CHECK(smooth[1].y == 1.5);
  CHECK(std::isnan(smooth[2].y));
  CHECK(smooth[3].y == 7);
  CHECK(smooth[4].y == 7);
}

TEST_CASE("averages and lines start anew at a border") {
  const std::vector<ChartPoint> points = {{1, 1}, {2, 3}, {3, 5}, {4, 100}, {5, 200}, {6, 300}};
  const auto smooth = smoothed_points(points, 1, {4});
  REQUIRE(smooth.size() == 6);
  const std::vector<double> expected = {2, 3, 4, 150, 200, 250};
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(smooth[i].y == expected[i]);

  using Ranges = std::vector<std::pair<size_t, size_t>>;
  CHECK(phase_ranges(points, {}) == Ranges{{0, 6}});
  CHECK(phase_ranges(points, {3.5, 6}) == Ranges{{0, 3}, {3, 5}, {5, 6}});
  CHECK(phase_ranges(points, {0, 1, 4, 4, 9}) == Ranges{{0, 3}, {3, 6}});
  CHECK(phase_ranges({}, {1}).empty());

  LineChart chart = line_of(points);
  chart.series[0].borders = {4};
  const std::string code = line_chart(chart).code;
  const size_t path = code.find("curve s1", code.find("viewBox=\"0 0 560"));
  const std::string line = code.substr(path, code.find("/>", path) - path);
  CHECK(occurrences(line, "M") == 2);
  CHECK(occurrences(line, "L") == 4);
}

TEST_CASE("a lone curve is called by its name where the title does not say it") {
  LineChart chart;
  chart.series = {{"run a", {{1, 2}, {2, 3}}, 1, 0}};
  CHECK(occurrences(line_chart(chart).code, "<span>at the end</span><b>3</b>") == 1);
  CHECK(occurrences(line_chart(chart).code, "<span>run a</span>") == 0);
  chart.names_lone = true;
  CHECK(occurrences(line_chart(chart).code, "<span>at the end</span>") == 0);
  CHECK(occurrences(line_chart(chart).code, "<span>run a</span><b>3</b>") == 1);
}

TEST_CASE("the names of marks stand above every curve") {
  LineChart chart = line_of({{0, 0}, {10, 5}, {20, 10}});
  chart.marks = {{10, "phase 2"}, {20, "phase 3"}};
  const std::string code = line_chart(chart).code;
  for (const char* name : {">phase 2<", ">phase 3<"}) {
    // In both sizes, the last one at the right border too.
    CHECK(occurrences(code, name) == 2);
    const size_t text = code.rfind("<text", code.find(name));
    const double baseline =
        numbers_of(code.substr(text, code.find('>', text) - text + 1), "<text", "y").at(0);
    const auto heights = numbers_of(code, "<circle", "cy");
    CHECK(baseline < *std::min_element(heights.begin(), heights.end()) - 3);
  }
}

TEST_CASE("labels of bars begin inside of the picture") {
  BarChart chart;
  // 25 characters of DejaVu Sans take 180 px: room for them is left of the bars.
  chart.groups = {{"", {{"matched_omniquant_lora_3_1", {{1, 1, ""}}, "1", std::nullopt}}}};
  const std::string code = bar_chart(chart).code;
  const auto ends = numbers_of(code, "<text class=\"label\"", "x");
  REQUIRE(ends.size() == 2);
  const bool left = occurrences(code, "text-anchor=\"end\"") == 1;
  CHECK((left ? ends[0] - 180.042 : ends[0]) >= 0);
  CHECK(ends[1] == 1);
}

TEST_CASE("ticks are round and inside of the range") {
  const auto texts = [](const std::vector<ChartTick>& ticks) {
    std::vector<std::string> out;
    for (const ChartTick& tick : ticks)
      out.push_back(tick.text);
    return out;
  };
  using Texts = std::vector<std::string>;
  CHECK(texts(linear_ticks(0, 1, 5)) == Texts{"0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(texts(linear_ticks(-0.1, 1.2, 5)) == Texts{"0", "0.5", "1.0"});
  CHECK(texts(linear_ticks(1, 3, 7, true)) == Texts{"1", "2", "3"});
  CHECK(texts(linear_ticks(0, 15, 7)) == Texts{"0", "2.5", "5.0", "7.5", "10.0", "12.5", "15.0"});
  CHECK(texts(linear_ticks(0, 15, 7, true)) == Texts{"0", "5", "10", "15"});
  CHECK(texts(linear_ticks(0, 100, 4, true)) == Texts{"0", "25", "50", "75", "100"});
  CHECK(texts(linear_ticks(0, 4776, 5)) == Texts{"0", "1,000", "2,000", "3,000", "4,000"});
  CHECK(texts(linear_ticks(999.9, 1001.1, 4)) == Texts{"1,000.0", "1,000.5", "1,001.0"});
  CHECK(texts(linear_ticks(19999, 20001, 4)) ==
        Texts{"19,999.0", "19,999.5", "20,000.0", "20,000.5", "20,001.0"});
  CHECK(texts(linear_ticks(0, 2e-5, 4)) == Texts{"0", "5e-6", "1e-5", "1.5e-5", "2e-5"});
  CHECK(texts(log_ticks(0.001, 10)) == Texts{"0.001", "0.01", "0.1", "1", "10"});
  CHECK(texts(log_ticks(3, 40)) == Texts{"5", "10", "20"});
  CHECK(linear_ticks(-kLargestPlotted, kLargestPlotted, 5).size() < 13);
}

TEST_CASE("bars are as long as their values") {
  BarChart chart;
  chart.groups = {
      {kEvil, {{"a", {{50, 1, ""}}, "50", std::nullopt}, {kEvil, {{25, 2, ""}}, kEvil, {{20, 30}}}}},
      {"", {{"c", {{kNan, 3, ""}}, "n/a", std::nullopt}, {"d", {{-4, 3, ""}}, "-4", std::nullopt}}}};
  const Html html = bar_chart(chart);
  CHECK(fault(html) == "");
  // Each bar is drawn twice, for wide and for narrow screens.
  const auto first = numbers_of(html.code, "<rect class=\"f1\"", "width");
  const auto second = numbers_of(html.code, "<rect class=\"f2\"", "width");
  REQUIRE(first.size() == 2);
  REQUIRE(second.size() == 2);
  for (size_t picture : {size_t{0}, size_t{1}}) {
    // Coordinates are written with two decimals.
    CHECK(first[picture] == Approx(2 * second[picture]).margin(0.03));
  }
  CHECK(html.code.find("class=\"f3\"") == std::string::npos);
}

TEST_CASE("box and heat charts take any values") {
  BoxChart boxes;
  boxes.reference = 1;
  boxes.boxes = {{"6", 0.9, 0.95, 1, 1.05, 1.2}, {kEvil, kNan, 0, 0, 0, 0}, {"8", 1, 1, 1, 1, 1}};
  const Html box = box_chart(boxes);
  CHECK(fault(box) == "");
  CHECK(occurrences(box.code, "class=\"box\"") == 4);
  HeatChart heat;
  heat.rows = {"q_proj", kEvil};
  heat.columns = {"0", "1", "2"};
  heat.values = {{0.1, 0.2, kNan}, {INFINITY, 0.3, 0.15}};
  const Html map = heat_chart(heat);
  CHECK(fault(map) == "");
  CHECK(occurrences(map.code, "<title>") == 8);
}

TEST_CASE("a logarithmic axis is called one, with or without a title") {
  LineChart chart;
  chart.series = {{"run a", {{1, 1}, {2, 1000}}, 1, 0}};
  CHECK(occurrences(line_chart(chart).code, ">log scale</text>") == 2);  // in both sizes
  chart.y_title = "loss";
  CHECK(occurrences(line_chart(chart).code, ">loss, log scale</text>") == 2);
  chart.y_axis = ValueAxis::kLinear;
  CHECK(occurrences(line_chart(chart).code, "log scale") == 0);
}
