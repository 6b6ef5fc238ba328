// Tab-separated files as pandas.read_table reads them: a header, and cells that may be quoted.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace qslaw {

class TabSeparated {
 public:
  /// A cell in double quotes may hold tabs, line breaks and doubled quotes. UserError naming the line of a
  /// row that has not the header's number of cells, or whose quotes are not closed.
  explicit TabSeparated(const std::filesystem::path& file);

  size_t rows() const { return rows_.size(); }
  const std::vector<std::string>& columns() const { return header_; }
  bool has(const std::string& column) const;
  /// UserError where there is no such column.
  const std::string& cell(size_t row, const std::string& column) const;
  /// The file and the line on which a row begins.
  std::string where(size_t row) const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> lines_;  // that rows begin on, from 1
};

}  // namespace qslaw
