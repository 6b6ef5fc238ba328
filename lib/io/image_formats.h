// The formats among which image.cpp chooses by a file's first bytes. All throw UserError naming `name` for
// what is cut, damaged, of a kind not known here or too large.
#pragma once
#include "io/image.h"

namespace qslaw {

struct PictureSize {
  int width = 0;
  int height = 0;
  size_t pixels() const { return static_cast<size_t>(width) * static_cast<size_t>(height); }
};

/// The size that a header claims. UserError unless it has a pixel and at most as many as Pillow opens.
PictureSize picture_size(int64_t width, int64_t height, const std::string& name);

/// A black picture.
Image blank_image(PictureSize size);

/// The bytes as the libraries take them.
inline const uint8_t* unsigned_data(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

void check_jpeg_header(std::string_view bytes, const std::string& name);
Image decode_jpeg(std::string_view bytes, const std::string& name);

void check_png_header(std::string_view bytes, const std::string& name);
Image decode_png(std::string_view bytes, const std::string& name);

/// Headers up to the first frame's pixels.
void check_gif_header(std::string_view bytes, const std::string& name);
Image decode_gif(std::string_view bytes, const std::string& name);

void check_bmp_header(std::string_view bytes, const std::string& name);
Image decode_bmp(std::string_view bytes, const std::string& name);

void check_webp_header(std::string_view bytes, const std::string& name);
Image decode_webp(std::string_view bytes, const std::string& name);

}  // namespace qslaw
