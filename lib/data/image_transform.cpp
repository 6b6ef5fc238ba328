#include "data/image_transform.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "data/resize.h"

namespace qslaw {
namespace {

// Of a picture's longer side when it is padded: the square is never stored, but looked at, up to 2 s long.
constexpr int kLongestPadded = 1 << 15;

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

/// The normalized value of each byte, scaled to 0..1 in double, then normalized in float: the order of
/// numpy's operations in the processor.
std::array<float, 256> normalized_bytes(float mean, float std) {
  std::array<float, 256> values{};
  for (size_t v = 0; v < values.size(); ++v)
    values[v] = (static_cast<float>(static_cast<double>(v) * (1.0 / 255)) - mean) / std;
  return values;
}

at::Tensor normalize(const Image& image, const ImageTransform& transform) {
  at::Tensor pixels_3HW = at::empty({3, image.height, image.width}, at::kFloat);
  const size_t area = image.rgb.size() / 3;
  std::array<std::array<float, 256>, 3> values;
  std::array<float*, 3> out;
  for (size_t c = 0; c < 3; ++c) {
    values[c] = normalized_bytes(transform.mean[c], transform.std[c]);
    out[c] = pixels_3HW.data_ptr<float>() + c * area;
  }
  const uint8_t* byte = image.rgb.data();
  for (size_t i = 0; i < area; ++i) {
    for (size_t c = 0; c < 3; ++c)
      out[c][i] = values[c][*byte++];
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
