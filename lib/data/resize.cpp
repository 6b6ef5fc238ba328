#include "data/resize.h"

#include <algorithm>
#include <cstring>

#include "data/bicubic.h"
#include "data/weigh_lines.h"

namespace qslaw {
namespace {

constexpr size_t kPixel = 3;  // bytes

/// Rows of pixels from row `first` on, each as long as weigh_lines takes them.
struct Rows {
  int first;
  size_t stride;  // bytes from row to row
  std::vector<uint8_t> bytes;

  Rows(int first, int end, int width) : first(first) {
    const size_t needed = static_cast<size_t>(width) * kPixel;
    stride = (needed + kLineMultiple - 1) / kLineMultiple * kLineMultiple;
    bytes.resize(stride * static_cast<size_t>(end - first));
  }
  uint8_t* at(int y) { return &bytes[stride * static_cast<size_t>(y - first)]; }
};

void weigh(const uint8_t* lines, size_t stride, const Taps& taps, size_t bytes, uint8_t* out) {
  weigh_lines(lines, stride, taps.weights.data(), taps.weights.size(), bytes, out);
}

/// Some rows of a canvas, turned: the pixels of a column lie side by side, so that columns are weighed into
/// one as rows are. Holds the columns that `axis` needs; they have the canvas's color until rows are loaded.
class Strip {
 public:
  static constexpr int kRows = 32;

  Strip(const Canvas& canvas, const std::vector<Taps>& axis)
      : canvas_(canvas), axis_(axis), first_(axis.front().first) {
    columns_.resize(static_cast<size_t>(axis.back().end() - first_) * kColumn);
    for (size_t i = 0; i < columns_.size(); i += kPixel)
      std::memcpy(&columns_[i], canvas.color.data(), kPixel);
  }

  /// Takes `count` rows of the picture, from its row `row` on.
  void load(int row, int count) {
    const Image& picture = canvas_.picture;
    const int from = std::max(first_, canvas_.left);
    const int to = std::min(axis_.back().end(), canvas_.left + picture.width);
    const size_t stride = static_cast<size_t>(picture.width) * kPixel;
    const uint8_t* source = picture.rgb.data() + stride * static_cast<size_t>(row) +
                            static_cast<size_t>(from - canvas_.left) * kPixel;
    uint8_t* column = columns_.data() + static_cast<size_t>(from - first_) * kColumn;
    for (int x = from; x < to; ++x, source += kPixel, column += kColumn) {
      for (size_t i = 0; i < static_cast<size_t>(count); ++i)
        std::memcpy(column + i * kPixel, source + i * stride, kPixel);
    }
  }

  /// The first `count` rows, resized, into `rows` from row `y` on.
  void resize(int count, Rows& rows, int y) const {
    uint8_t* out = rows.at(y);
    uint8_t column[kColumn];
    for (const Taps& taps : axis_) {
      weigh(&columns_[static_cast<size_t>(taps.first - first_) * kColumn], kColumn, taps, kColumn, column);
      for (size_t i = 0; i < static_cast<size_t>(count); ++i)
        std::memcpy(out + i * rows.stride, column + i * kPixel, kPixel);
      out += kPixel;
    }
  }

 private:
  static constexpr size_t kColumn = kRows * kPixel;  // bytes
  static_assert(kColumn % kLineMultiple == 0);

  const Canvas& canvas_;
  const std::vector<Taps>& axis_;
  int first_;
  std::vector<uint8_t> columns_;
};

/// Rows `first` to `end` - 1 of the canvas, resized along x. Those beside the picture are all the same one.
Rows resize_rows(const Canvas& canvas, const std::vector<Taps>& axis, int first, int end) {
  const int width = static_cast<int>(axis.size());
  Rows rows(first, end, width), blank(0, 1, width);
  Strip strip(canvas, axis);
  strip.resize(1, blank, 0);
  const int top = std::max(first, canvas.top), bottom = std::min(end, canvas.top + canvas.picture.height);
  for (int y = first; y < end; ++y) {
    if (y < top || y >= bottom) std::memcpy(rows.at(y), blank.at(0), rows.stride);
  }
  for (int y = top; y < bottom; y += Strip::kRows) {
    const int count = std::min(Strip::kRows, bottom - y);
    strip.load(y - canvas.top, count);
    strip.resize(count, rows, y);
  }
  return rows;
}

}  // namespace

Image resize_window(const Canvas& canvas, int64_t width, int64_t height, const Window& window) {
  const std::vector<Taps> columns = bicubic_axis(canvas.width, width, window.left, window.width);
  const std::vector<Taps> lines = bicubic_axis(canvas.height, height, window.top, window.height);
  Rows rows = resize_rows(canvas, columns, lines.front().first, lines.back().end());
  const size_t bytes = static_cast<size_t>(window.width) * kPixel;
  Image out{window.width, window.height, std::vector<uint8_t>(bytes * static_cast<size_t>(window.height))};
  std::vector<uint8_t> line(rows.stride);
  for (size_t y = 0; y < lines.size(); ++y) {
    weigh(rows.at(lines[y].first), rows.stride, lines[y], rows.stride, line.data());
    std::memcpy(&out.rgb[bytes * y], line.data(), bytes);
  }
  return out;
}

}  // namespace qslaw
