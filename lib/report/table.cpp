#include "report/table.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "report/markup.h"
#include "report/number_text.h"

namespace qslaw {
namespace {

// A line break inside of a cell would tear the row apart.
std::string one_line(const std::string& text) {
  std::string out = repair_text(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return out;
}

std::string padded(const std::string& text, int width, bool right) {
  const std::string blank(static_cast<size_t>(std::max(0, width - display_width(text))), ' ');
  return right ? blank + text : text + blank;
}

std::vector<int> column_widths(const Table& table) {
  std::vector<int> widths;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    int width = display_width(one_line(table.columns[c]));
    for (const auto& row : table.rows)
      width = std::max(width, display_width(one_line(row[c].text)));
    widths.push_back(width);
  }
  return widths;
}

std::string trim_right(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string text_line(const Table& table, const std::vector<std::string>& texts,
                      const std::vector<int>& widths) {
  std::string line;
  for (size_t c = 0; c < texts.size(); ++c) {
    line += (c > 0 ? "  " : "") + padded(one_line(texts[c]), widths[c], table.is_numeric(c));
  }
  return trim_right(line) + "\n";
}

std::vector<std::string> texts_of(const std::vector<TableCell>& row) {
  std::vector<std::string> texts;
  for (const TableCell& one : row)
    texts.push_back(one.text);
  return texts;
}

}  // namespace

TableCell cell(const std::string& text) {
  return {text, repair_text(text)};
}

TableCell cell(double value, int decimals) {
  if (!std::isfinite(value)) return {kNoValue, nullptr};
  return {format_decimals(value, decimals), value};
}

TableCell short_cell(double value) {
  if (!std::isfinite(value)) return {kNoValue, nullptr};
  return {format_short(value), value};
}

TableCell count_cell(int64_t value) {
  return {format_count(value), value};
}

TableCell bytes_cell(int64_t bytes) {
  return {format_bytes(bytes), bytes};
}

TableCell seconds_cell(double seconds) {
  if (!std::isfinite(seconds)) return {kNoValue, nullptr};
  return {format_metric("seconds", seconds), seconds};
}

TableCell metric_cell(const std::string& key, const nlohmann::json& value) {
  QSLAW_CHECK(value.is_number() || value.is_null());
  if (value.is_null()) return {kNoValue, nullptr};
  if (!value.is_number_integer()) return cell(value.get<double>(), 4);
  const auto whole = value.get<int64_t>();
  return key.ends_with("bytes") ? bytes_cell(whole) : count_cell(whole);
}

TableCell empty_cell() {
  return {"", nullptr};
}

void Table::add_row(std::vector<TableCell> row) {
  QSLAW_CHECK(row.size() <= columns.size());
  row.resize(columns.size(), empty_cell());
  rows.push_back(std::move(row));
}

bool Table::is_numeric(size_t column) const {
  const auto is_text = [&](const auto& row) { return row[column].value.is_string(); };
  const auto is_number = [&](const auto& row) { return row[column].value.is_number(); };
  return std::none_of(rows.begin(), rows.end(), is_text) && std::any_of(rows.begin(), rows.end(), is_number);
}

std::string table_text(const Table& table) {
  const std::vector<int> widths = column_widths(table);
  std::string out = table.title.empty() ? "" : one_line(table.title) + "\n";
  out += text_line(table, table.columns, widths);
  std::vector<std::string> rules;
  for (int width : widths)
    rules.push_back(std::string(static_cast<size_t>(width), '-'));
  out += text_line(table, rules, widths);
  for (const auto& row : table.rows)
    out += text_line(table, texts_of(row), widths);
  return out;
}

nlohmann::ordered_json table_json(const Table& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (size_t c = 0; c < row.size(); ++c)
      object[repair_text(table.columns[c])] = row[c].value;
    rows.push_back(std::move(object));
  }
  return {{"title", repair_text(table.title)}, {"rows", rows}};
}

}  // namespace qslaw
