// Oracles: Pillow's bicubic resize and transformers' CLIPImageProcessor (tests/fixtures/images), and the
// values that the method was written down with. All of the rule is integer arithmetic but for the kernel
// weights, which are doubles rounded to 22 bits, and the normalization, one subtraction and one division: so
// equality is exact.
#include "data/image_transform.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "io/image_fixtures.h"
#include "kernels/isa_case.h"

using namespace qslaw;

namespace {

Image gray_image(int width, int height, const std::vector<int>& values) {
  Image image{width, height, {}};
  for (int value : values)
    image.rgb.insert(image.rgb.end(), 3, static_cast<uint8_t>(value));
  return image;
}

void check_resize(const Image& image, int width, int height, const std::vector<int>& expected) {
  INFO(image.width << " x " << image.height << " to " << width << " x " << height);
  CHECK(resize_bicubic(image, width, height).rgb == gray_image(width, height, expected).rgb);
}

/// The processor's float32 output for channel c (RGB) and 8-bit value v at [c * 256 + v].
const std::vector<float>& processor_values() {
  static const std::vector<float> values = [] {
    const std::string bytes = read_file(image_fixtures() / "expected_normalized.bin");
    REQUIRE(bytes.size() == 3 * 256 * sizeof(float));
    std::vector<float> out(3 * 256);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }();
  return values;
}

/// The 8-bit values that the tensor comes from, height x width x 3, or 0 entries when a value is none of the
/// processor's: so a wrong mean, deviation or rounding shows as well.
std::vector<uint8_t> to_bytes(const at::Tensor& pixels_3SS) {
  const int64_t area = pixels_3SS.size(1) * pixels_3SS.size(2);
  const float* pixels = pixels_3SS.data_ptr<float>();
  std::vector<uint8_t> out;
  for (int64_t i = 0; i < area * 3; ++i) {
    const int64_t c = i % 3;
    const float* row = processor_values().data() + c * 256;
    const float* found = std::lower_bound(row, row + 256, pixels[c * area + i / 3]);
    if (found == row + 256 || *found != pixels[c * area + i / 3]) return {};
    out.push_back(static_cast<uint8_t>(found - row));
  }
  return out;
}

std::vector<uint8_t> transformed(const Image& image, int size, AspectMode mode) {
  const at::Tensor pixels_3SS = transform_image(image, {.size = size, .mode = mode});
  REQUIRE(pixels_3SS.sizes() == at::IntArrayRef({3, size, size}));
  REQUIRE(pixels_3SS.scalar_type() == at::kFloat);
  return to_bytes(pixels_3SS);
}

std::string hash(const std::vector<uint8_t>& bytes) {
  return sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

TEST_CASE("bicubic resize: the method's golden values (G9)") {
  const Image row = gray_image(8, 1, {0, 32, 64, 255, 128, 16, 200, 90});
  check_resize(row, 4, 1, {11, 152, 107, 129});
  check_resize(row, 3, 1, {42, 144, 114});
  check_resize(row, 5, 1, {7, 90, 189, 77, 138});
  check_resize(row, 12, 1, {0, 13, 35, 49, 169, 252, 152, 53, 33, 183, 153, 83});
  const Image square = gray_image(4, 4, {10, 200, 30, 250, 0, 255, 128, 64, 90, 80, 70, 60, 255, 0, 255, 0});
  check_resize(square, 2, 2, {106, 128, 119, 88});
  check_resize(square, 3, 3, {67, 143, 159, 76, 140, 63, 156, 108, 73});
}

TEST_CASE("bicubic resize: Pillow's outputs, bit for bit, on every instruction set") {
  for (const auto& resize : expected_images().at("resizes")) {
    const std::string file = resize.at("file");
    const int width = resize.at("width"), height = resize.at("height");
    INFO(file << " to " << width << " x " << height);
    const Image image = read_image(image_fixtures() / file);
    const auto expected = expected_pixels(resize.at("resized"), width, height);
    for_each_isa([&] {
      const Image out = resize_bicubic(image, width, height);
      CHECK(out.width == width);
      CHECK(out.height == height);
      CHECK(largest_difference(out.rgb, expected) == 0);
    });
  }
}

TEST_CASE("bicubic resize: one pixel spread over a row keeps its color") {
  check_resize(gray_image(1, 1, {77}), 9, 3, std::vector<int>(27, 77));
}

TEST_CASE("transform: CLIPImageProcessor's outputs in both modes") {
  for (const auto& picture : expected_images().at("pictures")) {
    const std::string file = picture.at("file");
    const int side = picture.at("side");
    INFO(file << " at " << side);
    const Image image = read_image(image_fixtures() / file);
    const auto square = expected_pixels(picture.at("square"), side, side);
    const auto pad = expected_pixels(picture.at("pad"), side, side);
    CHECK(largest_difference(transformed(image, side, AspectMode::square), square) == 0);
    CHECK(largest_difference(transformed(image, side, AspectMode::pad), pad) == 0);
  }
}

TEST_CASE("transform: CLIPImageProcessor's outputs at 336 pixels") {
  for (const auto& picture : expected_images().at("pictures")) {
    if (!picture.contains("pad_336_sha256")) continue;
    const std::string file = picture.at("file");
    INFO(file);
    const Image image = read_image(image_fixtures() / file);
    CHECK(hash(transformed(image, 336, AspectMode::square)) == picture.at("square_336_sha256"));
    CHECK(hash(transformed(image, 336, AspectMode::pad)) == picture.at("pad_336_sha256"));
  }
  const Image expected = read_image(image_fixtures() / "expected_photo_pad_336.png");
  const Image photo = read_image(image_fixtures() / "photo.png");
  CHECK(largest_difference(transformed(photo, 336, AspectMode::pad), expected.rgb) == 0);
}

TEST_CASE("transform: a picture whose square would take minutes is refused, cropped it is not") {
  Image thread{40000, 1, std::vector<uint8_t>(3 * 40000, 7)};
  CHECK_THROWS_WITH(
      transformed(thread, 8, AspectMode::pad),
      Catch::Contains("[image] expected at most 32768 pixels") && Catch::Contains("got 40000 x 1"));
  CHECK_NOTHROW(transformed(thread, 8, AspectMode::square));
}

TEST_CASE("transform: another mean and deviation") {
  const Image image = gray_image(2, 2, {0, 51, 204, 255});
  const at::Tensor pixels = transform_image(
      image, {.size = 2, .mode = AspectMode::square, .mean = {0.5F, 0, 1}, .std = {0.5F, 1, 2}});
  // 0, 0.2, 0.8, 1 less the mean over the deviation; one float rounding each, so 1e-6 is several of them.
  const std::vector<float> expected = {-1, -0.6F, 0.6F, 1, 0, 0.2F, 0.8F, 1, -0.5F, -0.4F, -0.1F, 0};
  CHECK(at::allclose(pixels.flatten(), at::tensor(expected), 0, 1e-6));
}

TEST_CASE("transform: an extremely long picture") {
  // Resized whole it would be 32 x 2 880 000 pixels; only the center is computed.
  Image image{1, 90000, {}};
  for (int y = 0; y < image.height; ++y) {
    image.rgb.insert(image.rgb.end(), {10, 20, 30});
  }
  const auto square = transformed(image, 32, AspectMode::square);
  REQUIRE(square.size() == 32 * 32 * 3);
  for (size_t i = 0; i < square.size(); ++i) {
    REQUIRE(square[i] == 10 * (i % 3 + 1));
  }
}

TEST_CASE("transform: padding is LLaVA's mean color") {
  // A column one in two thousand wide leaves nothing but the color int(255 * mean) of the canvas.
  const Image image = gray_image(1, 2000, std::vector<int>(2000, 0));
  const auto pad = transformed(image, 16, AspectMode::pad);
  REQUIRE(pad.size() == 16 * 16 * 3);
  const std::array<uint8_t, 3> mean_color = {122, 116, 104};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(pad[i] == mean_color[i]);
  }
}
