// The first frame of a GIF as Pillow shows it: a transparent pixel has the color its palette gives it.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "io/gif_codes.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

constexpr uint8_t kExtension = 0x21, kImage = 0x2c, kTransparency = 0xf9;

[[noreturn]] void fail_gif(const std::string& name) {
  fail("image", "expected a sound GIF, got one that is cut short or damaged (", name, ")");
}

/// Goes through the file; fails where it ends.
class GifBytes {
 public:
  GifBytes(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  std::string_view take(size_t count) {
    if (bytes_.size() - at_ < count) fail_gif(name_);
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  uint8_t byte() { return static_cast<uint8_t>(take(1)[0]); }
  int word() { return static_cast<int>(little_endian(take(2), 0, 2)); }
  /// Empty: the end of a row of blocks.
  std::string_view block() { return take(byte()); }
  /// The bytes of the blocks from here on. Those that a cut file has not are told by the missing pixels.
  std::string blocks() {
    std::string all;
    while (at_ < bytes_.size()) {
      const size_t size = static_cast<unsigned char>(bytes_[at_++]);
      if (size == 0) break;
      all += bytes_.substr(at_, size);
      at_ = std::min(bytes_.size(), at_ + size);
    }
    return all;
  }

 private:
  std::string_view bytes_;
  const std::string& name_;
  size_t at_ = 0;
};

struct GifFrame {
  PictureSize picture;
  int left = 0, top = 0;
  PictureSize size;  // of the frame within the picture
  bool is_interlaced = false;
  std::string_view palette;  // three bytes for each color, none without a palette
  uint8_t background = 0;    // index outside of the frame
  unsigned code_bits = 0;
};

// The frame's own fields behind its mark.
void read_frame(GifBytes& in, const std::string& name, int width, int height, GifFrame& frame) {
  frame.left = in.word();
  frame.top = in.word();
  const int frame_width = in.word(), frame_height = in.word();
  if (frame_width == 0 || frame_height == 0) fail_gif(name);
  frame.size = picture_size(frame_width, frame_height, name);
  // Pillow widens a picture that its first frame goes beyond.
  frame.picture = picture_size(std::max(width, frame.left + frame_width),
                               std::max(height, frame.top + frame_height), name);
  const unsigned flags = in.byte();
  frame.is_interlaced = (flags & 0x40U) != 0;
  if ((flags & 0x80U) != 0) frame.palette = in.take(size_t{3} << ((flags & 7U) + 1));
  frame.code_bits = in.byte();
  if (frame.code_bits > GifCodes::kMostBits) fail_gif(name);
}

// Leaves `in` at the first frame's pixels.
GifFrame read_gif_header(GifBytes& in, const std::string& name) {
  in.take(6);
  const int width = in.word(), height = in.word();
  const unsigned flags = in.byte();
  in.take(2);
  GifFrame frame;
  if ((flags & 0x80U) != 0) frame.palette = in.take(size_t{3} << ((flags & 7U) + 1));
  for (;;) {
    const uint8_t mark = in.byte();
    if (mark == kImage) {
      read_frame(in, name, width, height, frame);
      return frame;
    }
    if (mark == kExtension) {
      const uint8_t kind = in.byte();
      for (std::string_view block = in.block(); !block.empty(); block = in.block()) {
        const bool is_transparent = kind == kTransparency && block.size() >= 4 && (block[0] & 1) != 0;
        if (is_transparent) frame.background = static_cast<uint8_t>(block[3]);
      }
    } else if (mark == ';') {
      fail_gif(name);
    }
  }
}

// The picture's rows in the order in which a frame stores them.
std::vector<int> stored_rows(const GifFrame& frame) {
  std::vector<int> rows;
  const std::array<std::pair<int, int>, 4> passes = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : passes) {
    for (int y = frame.is_interlaced ? first : 0; y < frame.size.height; y += frame.is_interlaced ? step : 1)
      rows.push_back(y);
    if (!frame.is_interlaced) break;
  }
  return rows;
}

// Without a palette an index is a gray; beyond the palette's end Pillow has black.
std::array<uint8_t, 3> color_of(const GifFrame& frame, uint8_t index) {
  if (frame.palette.empty()) return {index, index, index};
  const size_t at = 3 * size_t{index};
  if (at >= frame.palette.size()) return {};
  const auto part = [&](size_t c) { return static_cast<uint8_t>(frame.palette[at + c]); };
  return {part(0), part(1), part(2)};
}

}  // namespace

void check_gif_header(std::string_view bytes, const std::string& name) {
  GifBytes in(bytes, name);
  read_gif_header(in, name);
}

Image decode_gif(std::string_view bytes, const std::string& name) {
  GifBytes in(bytes, name);
  const GifFrame frame = read_gif_header(in, name);
  const std::string data = in.blocks();
  std::vector<uint8_t> indices;
  if (!GifCodes(data, frame.code_bits).decode(frame.size.pixels(), indices)) fail_gif(name);
  Image image = blank_image(frame.picture);
  const auto set = [&](size_t pixel, uint8_t index) {
    const std::array<uint8_t, 3> color = color_of(frame, index);
    std::copy(color.begin(), color.end(), image.rgb.begin() + static_cast<ptrdiff_t>(3 * pixel));
  };
  if (frame.size.pixels() < frame.picture.pixels()) {
    for (size_t i = 0; i < frame.picture.pixels(); ++i)
      set(i, frame.background);
  }
  size_t next = 0;
  for (const int y : stored_rows(frame)) {
    const size_t begin = static_cast<size_t>(frame.top + y) * static_cast<size_t>(frame.picture.width) +
                         static_cast<size_t>(frame.left);
    for (size_t x = 0; x < static_cast<size_t>(frame.size.width); ++x)
      set(begin + x, indices[next++]);
  }
  return image;
}

}  // namespace qslaw
