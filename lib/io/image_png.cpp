#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

#include <climits>
#include <memory>

#include "core/error.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPngEnd = "IEND"sv;

int64_t big_endian_32(std::string_view bytes, size_t at) {
  int64_t value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

// `reason` is stb's, "" where stb was not asked.
[[noreturn]] void fail_png(std::string_view bytes, const std::string& name, const std::string& reason) {
  if (bytes.rfind(kPngEnd) == bytes.npos) {
    fail("image", "expected a sound PNG, got one that is cut short or damaged (", name, ")");
  }
  fail("image", "expected a sound PNG, got one that is damaged (", name,
       reason.empty() ? "" : "; stb_image: ", reason, ")");
}

PictureSize read_png_header(std::string_view bytes, const std::string& name) {
  require(bytes.size() <= INT_MAX, "image", "expected a file below 2 GiB, got ", bytes.size(), " bytes (",
          name, ")");
  // Signature 8, chunk length 4, "IHDR", width 4, height 4: read here as stb calls a size too large
  // "unknown".
  if (bytes.size() >= 24 && bytes.substr(12, 4) == "IHDR") {
    const PictureSize size = picture_size(big_endian_32(bytes, 16), big_endian_32(bytes, 20), name);
    int width = 0, height = 0, channels = 0;
    if (stbi_info_from_memory(unsigned_data(bytes), static_cast<int>(bytes.size()), &width, &height,
                              &channels)) {
      return size;
    }
    fail_png(bytes, name, stbi_failure_reason());
  }
  fail_png(bytes, name, "");
}

}  // namespace

void check_png_header(std::string_view bytes, const std::string& name) {
  read_png_header(bytes, name);
}

Image decode_png(std::string_view bytes, const std::string& name) {
  const PictureSize size = read_png_header(bytes, name);
  const auto length = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> rgb(
      stbi_load_from_memory(unsigned_data(bytes), length, &width, &height, &channels, 3), stbi_image_free);
  if (!rgb) fail_png(bytes, name, stbi_failure_reason());
  QSLAW_CHECK(width == size.width && height == size.height);
  return {width, height, std::vector<uint8_t>(rgb.get(), rgb.get() + 3 * size.pixels())};
}

}  // namespace qslaw
