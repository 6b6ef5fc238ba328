#include "eval/tab_separated.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "data/text_file.h"

namespace qslaw {
namespace {

// Goes through the text cell by cell.
class CellReader {
 public:
  CellReader(const std::string& text, const std::filesystem::path& file) : text_(text), file_(file) {}

  bool done() const { return at_ >= text_.size(); }
  size_t line() const { return line_; }

  // The cells up to the end of a line that is not in quotes.
  std::vector<std::string> row() {
    std::vector<std::string> cells;
    for (bool more = true; more;) {
      cells.push_back(cell());
      more = !done() && text_[at_] == '\t';
      if (more) ++at_;
    }
    end_line();
    return cells;
  }

 private:
  // In a line feed, a carriage return or both.
  void end_line() {
    if (!done() && text_[at_] == '\r') ++at_;
    if (!done() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  std::string cell() { return !done() && text_[at_] == '"' ? quoted() : unquoted(); }

  std::string quoted() {
    const size_t first = line_;
    std::string out;
    for (++at_; !done(); ++at_) {
      if (text_[at_] == '"') {
        const bool is_doubled = at_ + 1 < text_.size() && text_[at_ + 1] == '"';
        if (!is_doubled) {
          ++at_;
          return out + unquoted();
        }
        ++at_;
      }
      line_ += text_[at_] == '\n';
      out += text_[at_];
    }
    fail(concat(file_.string(), ", line ", first), "expected closing quotes, got the end of the file");
  }

  std::string unquoted() {
    const size_t end = std::min(text_.find_first_of("\t\r\n", at_), text_.size());
    const size_t begin = std::exchange(at_, end);
    return text_.substr(begin, end - begin);
  }

  const std::string& text_;
  const std::filesystem::path& file_;
  size_t at_ = 0;
  size_t line_ = 1;
};

}  // namespace

TabSeparated::TabSeparated(const std::filesystem::path& file) : file_(file) {
  const std::string text = read_utf8(file);
  CellReader reader(text, file);
  if (!reader.done()) header_ = reader.row();
  while (!reader.done()) {
    const size_t line = reader.line();
    std::vector<std::string> cells = reader.row();
    if (cells.size() == 1 && cells[0].empty()) continue;
    require(cells.size() == header_.size(), concat(file.string(), ", line ", line), "expected ",
            header_.size(), " cells as in the header, got ", cells.size());
    rows_.push_back(std::move(cells));
    lines_.push_back(line);
  }
}

bool TabSeparated::has(const std::string& column) const {
  return std::find(header_.begin(), header_.end(), column) != header_.end();
}

const std::string& TabSeparated::cell(size_t row, const std::string& column) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  require(found != header_.end(), file_.string(), "expected a column ", column, ", got none");
  return rows_[row][static_cast<size_t>(found - header_.begin())];
}

std::string TabSeparated::where(size_t row) const {
  return concat(file_.string(), ", line ", lines_[row]);
}

}  // namespace qslaw
