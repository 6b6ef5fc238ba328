// Tables for stdout, JSON and the HTML report.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace qslaw {

/// One cell: what people read and, for JSON, the value behind it.
struct TableCell {
  std::string text;
  nlohmann::json value;
};

/// Text as it is.
TableCell cell(const std::string& text);
/// A number with fixed decimals, none from 1,000 on (format_decimals); kNoValue when not finite.
TableCell cell(double value, int decimals);
/// A number of any size, as format_short writes it.
TableCell short_cell(double value);
/// A whole number with separators.
TableCell count_cell(int64_t value);
/// A size; the JSON value is the number of bytes.
TableCell bytes_cell(int64_t bytes);
/// A time; the JSON value is the number of seconds.
TableCell seconds_cell(double seconds);
/// A result by its key and kind: sizes for "...bytes", whole numbers as counts, four decimals for others,
/// kNoValue for null (a number that was not finite). REQUIRES: a number or null.
TableCell metric_cell(const std::string& key, const nlohmann::json& value);
/// Nothing; JSON null.
TableCell empty_cell();

/// Rows shorter than the header are filled with empty cells; longer ones break an invariant.
struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<TableCell>> rows;

  void add_row(std::vector<TableCell> row);
  /// A column is right-aligned when it holds at least one number and no text.
  bool is_numeric(size_t column) const;
};

/// For a terminal: title, header, rule, rows; two spaces between columns; numbers right-aligned. Ends with a
/// newline.
std::string table_text(const Table& table);

/// {"title", "rows": [{column: value}]}, the columns in the order of the table.
nlohmann::ordered_json table_json(const Table& table);

}  // namespace qslaw
