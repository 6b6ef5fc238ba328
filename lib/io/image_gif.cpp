// The first frame of a GIF as Pillow shows it: a transparent pixel has the color its palette gives it.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/error.h"
#include "io/gif_indices.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

[[noreturn]] void fail_gif(const std::string& name) {
  fail("image", "expected a sound GIF, got one that is cut short or damaged (", name, ")");
}

// `user_data`: a string_view, what giflib has not read yet.
int read_bytes(GifFileType* gif, GifByteType* out, int size) {
  std::string_view& left = *static_cast<std::string_view*>(gif->UserData);
  const size_t count = std::min(left.size(), static_cast<size_t>(size));
  std::copy_n(left.begin(), count, out);
  left.remove_prefix(count);
  return static_cast<int>(count);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

/// A file up to the first frame's pixels; that frame's fields are in file->Image.
struct Gif {
  std::unique_ptr<GifFileType, CloseGif> file;
  PictureSize size;
  uint8_t background = 0;  // palette index outside of the frame
};

// A graphic control extension: flags, a delay in two bytes, the transparent index where a flag says so.
bool read_control(std::string_view block, Gif& gif) {
  const bool is_transparent = !block.empty() && (block[0] & 1) != 0;
  if (block.size() < (is_transparent ? 4 : 3)) return false;
  if (is_transparent) gif.background = static_cast<uint8_t>(block[3]);
  return true;
}

bool read_extension(Gif& gif) {
  int kind = 0;
  GifByteType* block = nullptr;  // its size, then its bytes
  int status = DGifGetExtension(gif.file.get(), &kind, &block);
  const bool is_control = status == GIF_OK && block != nullptr && kind == GRAPHICS_EXT_FUNC_CODE;
  if (is_control && !read_control(gif_block(block), gif)) return false;
  while (status == GIF_OK && block != nullptr)
    status = DGifGetExtensionNext(gif.file.get(), &block);
  return status == GIF_OK;
}

// REQUIRES: `in` outlives what is returned.
Gif open_gif(std::string_view& in, const std::string& name) {
  Gif gif;
  gif.file.reset(DGifOpen(&in, read_bytes, nullptr));
  if (!gif.file) fail_gif(name);
  for (GifRecordType type = UNDEFINED_RECORD_TYPE; type != IMAGE_DESC_RECORD_TYPE;) {
    type = TERMINATE_RECORD_TYPE;              // stays so at the file's end
    DGifGetRecordType(gif.file.get(), &type);  // an error for bytes of no known type, which Pillow skips
    if (type == TERMINATE_RECORD_TYPE || (type == EXTENSION_RECORD_TYPE && !read_extension(gif)))
      fail_gif(name);
  }
  const GifImageDesc& frame = gif.file->Image;
  if (DGifGetImageDesc(gif.file.get()) != GIF_OK || frame.Width == 0 || frame.Height == 0) fail_gif(name);
  // Pillow widens a picture that its first frame goes beyond.
  gif.size = picture_size(std::max(gif.file->SWidth, frame.Left + frame.Width),
                          std::max(gif.file->SHeight, frame.Top + frame.Height), name);
  return gif;
}

// Without a palette an index is a gray; beyond the palette's end Pillow has black.
GifColorType color_of(const ColorMapObject* palette, uint8_t index) {
  if (palette == nullptr) return {index, index, index};
  return index < palette->ColorCount ? palette->Colors[index] : GifColorType{};
}

}  // namespace

void check_gif_header(std::string_view bytes, const std::string& name) {
  open_gif(bytes, name);
}

Image decode_gif(std::string_view bytes, const std::string& name) {
  const Gif gif = open_gif(bytes, name);
  const GifImageDesc& frame = gif.file->Image;
  const ColorMapObject* palette = frame.ColorMap != nullptr ? frame.ColorMap : gif.file->SColorMap;
  Image image = blank_image(gif.size);
  auto out = image.rgb.begin();
  const auto put = [&](uint8_t index) {
    const auto [red, green, blue] = color_of(palette, index);
    out = std::ranges::copy(std::array{red, green, blue}, out).out;
  };
  while (out != image.rgb.end())
    put(gif.background);
  const auto pixels = static_cast<size_t>(frame.Width) * static_cast<size_t>(frame.Height);
  const auto indices = read_gif_indices(gif.file.get(), pixels);
  if (!indices) fail_gif(name);
  auto row = indices->begin();
  using Passes = std::vector<std::pair<int, int>>;  // the first row of each, and the step
  for (const auto& [first, step] :
       frame.Interlace ? Passes{{0, 8}, {4, 8}, {2, 4}, {1, 2}} : Passes{{0, 1}}) {
    for (int y = first; y < frame.Height; y += step, row += frame.Width) {
      out = image.rgb.begin() + 3 * (ptrdiff_t{frame.Top + y} * image.width + frame.Left);
      std::for_each_n(row, frame.Width, put);
    }
  }
  return image;
}

}  // namespace qslaw
