#include "io/image.h"

#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "io/image_formats.h"
#include "io/mapped_file.h"

namespace qslaw {
namespace {

using namespace std::string_view_literals;

// Where Pillow stops too (twice its MAX_IMAGE_PIXELS): a small file can claim to be a picture that fills the
// memory.
constexpr int64_t kMaxPixels = 178956970;
// Enough for nearly every header; longer ones (color profiles, previews) make check_image_header read the
// whole file.
constexpr size_t kHeaderBytes = 64 << 10;

constexpr const char* kExpected = "a JPEG, PNG, GIF, WebP or BMP picture";

struct Format {
  bool (*is_this)(std::string_view bytes);
  void (*check_header)(std::string_view bytes, const std::string& name);
  Image (*decode)(std::string_view bytes, const std::string& name);
};

constexpr Format kFormats[] = {
    {[](std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"sv); }, check_jpeg_header,
     decode_jpeg},
    {[](std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1A\n"sv); }, check_png_header,
     decode_png},
    {[](std::string_view bytes) { return bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv); },
     check_gif_header, decode_gif},
    {[](std::string_view bytes) {
       return bytes.starts_with("RIFF"sv) && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP"sv;
     },
     check_webp_header, decode_webp},
    {[](std::string_view bytes) { return bytes.starts_with("BM"sv); }, check_bmp_header, decode_bmp},
};

struct Kind {
  std::string_view first_bytes, name;
};
constexpr Kind kOtherKinds[] = {{"II*\0"sv, "a TIFF"}, {"MM\0*"sv, "a TIFF"}, {"%PDF"sv, "a PDF"},
                                {"RIFF"sv, "a RIFF"},  {"<svg"sv, "an SVG"},  {"<!DOCTYPE"sv, "an HTML"},
                                {"<html"sv, "an HTML"}};

const Format& format_of(std::string_view bytes, const std::string& name) {
  for (const Format& format : kFormats) {
    if (format.is_this(bytes)) return format;
  }
  if (bytes.empty()) fail("image", "expected ", kExpected, ", got an empty file (", name, ")");
  refuse_lfs_pointer(bytes, name, "image", kExpected);
  for (const Kind& kind : kOtherKinds) {
    if (bytes.starts_with(kind.first_bytes))
      fail("image", "expected ", kExpected, ", got ", kind.name, " file (", name, ")");
  }
  fail("image", "expected ", kExpected, ", got a file with none of their signatures (", name, ")");
}

}  // namespace

PictureSize picture_size(int64_t width, int64_t height, const std::string& name) {
  require(width > 0 && height > 0 && width <= kMaxPixels / height, "image", "expected 1 to ", kMaxPixels,
          " pixels, got ", width, " x ", height, " (", name, ")");
  return {static_cast<int>(width), static_cast<int>(height)};
}

Image blank_image(PictureSize size) {
  return {size.width, size.height, std::vector<uint8_t>(3 * size.pixels())};
}

Image decode_image(std::string_view bytes, const std::string& name) {
  return format_of(bytes, name).decode(bytes, name);
}

Image read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.string());
}

void check_image_header(std::string_view bytes, const std::string& name) {
  format_of(bytes, name).check_header(bytes, name);
}

void check_image_header(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(kHeaderBytes, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.gcount() == 0)
    return check_image_header(read_file(path), path.string());  // missing, a folder, or empty
  bytes.resize(static_cast<size_t>(in.gcount()));
  try {
    check_image_header(bytes, path.string());
  } catch (const UserError&) {
    if (bytes.size() < kHeaderBytes) throw;
    check_image_header(read_file(path), path.string());
  }
}

}  // namespace qslaw
