// Pictures from disk as 8-bit RGB, as Pillow's `Image.open(path).convert("RGB")` gives them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

/// Interleaved 8-bit RGB, row by row: rgb[(y * width + x) * 3 + channel].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

/// Reads a file by its first bytes, whatever its name ends in: JPEG (libjpeg-turbo, accurate DCT, as Pillow;
/// CMYK as Pillow's naive conversion), PNG (stb_image), GIF (giflib, the first frame), WebP (libwebp, the
/// first frame) or BMP (uncompressed). Gray and palette pictures become RGB; transparency is dropped, so that
/// a transparent pixel has the color that is stored for it; 16-bit samples of a PNG keep their high byte
/// (Pillow cuts 16-bit gray off at 255 instead). UserError for a missing, empty, cut or unknown file and over
/// 179 million pixels, naming the path. A GIF may be cut behind its first frame's pixels, as in Pillow; wrong
/// bytes among them are told, as there, only where they make codes that stand for nothing: the format has no
/// checksums.
Image read_image(const std::filesystem::path& path);

/// The same from bytes in memory; `name` is used in errors.
Image decode_image(std::string_view bytes, const std::string& name);

/// Reads just enough to check that the file exists and its header is sound. UserError otherwise.
void check_image_header(const std::filesystem::path& path);

/// The same of bytes in memory; `name` is used in errors.
void check_image_header(std::string_view bytes, const std::string& name);

}  // namespace qslaw
