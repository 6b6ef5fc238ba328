#include "data/image_transform.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace qslaw {
namespace {

// The rule is written out in docs/method.md ("picture transform"); every rounding of it matters for equality.
constexpr int kWeightBits = 22;
constexpr int32_t kHalf = 1 << (kWeightBits - 1);
constexpr double kSupport = 2;  // source pixels on each side at scale 1
// Of a picture's longer side when it is padded: the square is never stored, but looked at, 10 s of it then.
constexpr int kLongestPadded = 1 << 15;

/// A picture on a larger canvas of one color. The canvas is never stored: rows are made as they are needed,
/// so that a very long picture costs no square of its length.
struct Canvas {
  const Image& picture;
  int width, height;  // of the canvas
  int left, top;      // where the picture lies on it
  std::array<uint8_t, 3> color;
};

/// The part of the resized canvas that is wanted.
struct Window {
  int64_t left, top;
  int width, height;
};

/// One output pixel's source pixels along one axis: first, first + 1, ...
struct Taps {
  int first;
  std::vector<int32_t> weights;  // fixed point, kWeightBits
};

/// Cubic convolution kernel with a = -0.5 (Keys 1981).
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

Taps make_taps(int in, double scale, int64_t position) {
  const double stretch = std::max(scale, 1.0);  // antialiasing: the kernel widens when the picture shrinks
  const double support = kSupport * stretch;
  const double center = (static_cast<double>(position) + 0.5) * scale;
  const int first = std::max(static_cast<int>(center - support + 0.5), 0);
  const int last = std::min(static_cast<int>(center + support + 0.5), in);
  std::vector<double> weights;
  double sum = 0;
  for (int i = first; i < last; ++i) {
    weights.push_back(bicubic((i - center + 0.5) * (1.0 / stretch)));
    sum += weights.back();
  }
  Taps taps{first, {}};
  for (double weight : weights) {
    const double fixed = weight / sum * (1 << kWeightBits);
    taps.weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
  }
  return taps;
}

std::vector<Taps> make_axis(int in, int64_t out, int64_t from, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<Taps> axis;
  for (int i = 0; i < count; ++i)
    axis.push_back(make_taps(in, scale, from + i));
  return axis;
}

uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

/// Row `y` of the canvas, in the picture itself or in `scratch`.
const uint8_t* canvas_row(const Canvas& canvas, int y, std::vector<uint8_t>& scratch) {
  const int row = y - canvas.top;
  const bool inside = row >= 0 && row < canvas.picture.height;
  const size_t bytes = static_cast<size_t>(canvas.picture.width) * 3;
  const uint8_t* source = inside ? canvas.picture.rgb.data() + bytes * static_cast<size_t>(row) : nullptr;
  if (inside && canvas.width == canvas.picture.width) return source;
  scratch.resize(static_cast<size_t>(canvas.width) * 3);
  for (size_t i = 0; i < scratch.size(); ++i)
    scratch[i] = canvas.color[i % 3];
  if (inside) std::memcpy(scratch.data() + static_cast<size_t>(canvas.left) * 3, source, bytes);
  return scratch.data();
}

void resize_row(const uint8_t* row, const std::vector<Taps>& axis, uint8_t* out) {
  for (const Taps& taps : axis) {
    int32_t sums[3] = {kHalf, kHalf, kHalf};
    const uint8_t* pixel = row + static_cast<size_t>(taps.first) * 3;
    for (int32_t weight : taps.weights) {
      for (int c = 0; c < 3; ++c)
        sums[c] += weight * *pixel++;
    }
    for (int32_t sum : sums)
      *out++ = to_byte(sum);
  }
}

/// Every column of one output row: the weighted sum of the rows from `rows` on, each `bytes` long.
void combine_rows(const uint8_t* rows, size_t bytes, const Taps& taps, std::vector<int32_t>& sums,
                  uint8_t* out) {
  sums.assign(bytes, kHalf);
  for (int32_t weight : taps.weights) {
    for (size_t i = 0; i < bytes; ++i)
      sums[i] += weight * rows[i];
    rows += bytes;
  }
  for (size_t i = 0; i < bytes; ++i)
    out[i] = to_byte(sums[i]);
}

/// `window` of the canvas resized to width x height. Only the rows and columns that the window needs are
/// computed.
Image resize_window(const Canvas& canvas, int64_t width, int64_t height, const Window& window) {
  const std::vector<Taps> columns = make_axis(canvas.width, width, window.left, window.width);
  const std::vector<Taps> rows = make_axis(canvas.height, height, window.top, window.height);
  const int first_row = rows.front().first;
  const int last_row = rows.back().first + static_cast<int>(rows.back().weights.size());
  const size_t bytes = static_cast<size_t>(window.width) * 3;

  std::vector<uint8_t> scratch, middle(bytes * static_cast<size_t>(last_row - first_row));
  for (int y = first_row; y < last_row; ++y) {
    resize_row(canvas_row(canvas, y, scratch), columns, &middle[bytes * static_cast<size_t>(y - first_row)]);
  }
  Image out{window.width, window.height, std::vector<uint8_t>(bytes * static_cast<size_t>(window.height))};
  std::vector<int32_t> sums;
  for (size_t y = 0; y < rows.size(); ++y) {
    const size_t offset = bytes * static_cast<size_t>(rows[y].first - first_row);
    combine_rows(&middle[offset], bytes, rows[y], sums, &out.rgb[bytes * y]);
  }
  return out;
}

Canvas bare_canvas(const Image& image) {
  return {image, image.width, image.height, 0, 0, {}};
}

Canvas square_canvas(const Image& image, const std::array<float, 3>& mean) {
  const int side = std::max(image.width, image.height);
  Canvas canvas{image, side, side, (side - image.width) / 2, (side - image.height) / 2, {}};
  for (size_t c = 0; c < 3; ++c)
    canvas.color[c] = static_cast<uint8_t>(255 * mean[c]);
  return canvas;
}

/// Scales to 0..1 in double, then normalizes in float: the order of numpy's operations in the processor.
at::Tensor normalize(const Image& image, const ImageTransform& transform) {
  at::Tensor pixels_3HW = at::empty({3, image.height, image.width}, at::kFloat);
  float* out = pixels_3HW.data_ptr<float>();
  for (size_t c = 0; c < 3; ++c) {
    std::array<float, 256> values{};
    for (size_t v = 0; v < values.size(); ++v) {
      values[v] =
          (static_cast<float>(static_cast<double>(v) * (1.0 / 255)) - transform.mean[c]) / transform.std[c];
    }
    for (size_t i = c; i < image.rgb.size(); i += 3)
      *out++ = values[image.rgb[i]];
  }
  return pixels_3HW;
}

void check_image(const Image& image) {
  QSLAW_CHECK(image.width > 0 && image.height > 0);
  QSLAW_CHECK(image.rgb.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
}

}  // namespace

Image resize_bicubic(const Image& image, int width, int height) {
  check_image(image);
  QSLAW_CHECK(width > 0 && height > 0);
  return resize_window(bare_canvas(image), width, height, {0, 0, width, height});
}

at::Tensor transform_image(const Image& image, const ImageTransform& transform) {
  check_image(image);
  QSLAW_CHECK(transform.size > 0);
  require(transform.mode != AspectMode::pad || std::max(image.width, image.height) <= kLongestPadded, "image",
          "expected at most ", kLongestPadded, " pixels on the longer side of a picture to pad, got ",
          image.width, " x ", image.height);
  const Canvas canvas =
      transform.mode == AspectMode::pad ? square_canvas(image, transform.mean) : bare_canvas(image);
  const int64_t shorter = std::min(canvas.width, canvas.height),
                longer = std::max(canvas.width, canvas.height);
  const int64_t resized_longer = transform.size * longer / shorter;
  const int64_t width = canvas.width <= canvas.height ? transform.size : resized_longer;
  const int64_t height = canvas.width <= canvas.height ? resized_longer : transform.size;
  const Window center{(width - transform.size) / 2, (height - transform.size) / 2, transform.size,
                      transform.size};
  return normalize(resize_window(canvas, width, height, center), transform);
}

}  // namespace qslaw
