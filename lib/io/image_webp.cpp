#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

[[noreturn]] void fail_webp(const std::string& name) {
  fail("image", "expected a sound WebP, got one that is cut short or damaged (", name, ")");
}

PictureSize read_webp_header(std::string_view bytes, const std::string& name) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(unsigned_data(bytes), bytes.size(), &features) != VP8_STATUS_OK) fail_webp(name);
  return picture_size(features.width, features.height, name);
}

}  // namespace

void check_webp_header(std::string_view bytes, const std::string& name) {
  read_webp_header(bytes, name);
}

// Through the decoder of animations, as Pillow reads every WebP.
Image decode_webp(std::string_view bytes, const std::string& name) {
  const PictureSize size = read_webp_header(bytes, name);
  WebPAnimDecoderOptions options;
  QSLAW_CHECK(WebPAnimDecoderOptionsInit(&options));
  options.color_mode = MODE_RGBA;
  const WebPData data = {unsigned_data(bytes), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
      WebPAnimDecoderNew(&data, &options), WebPAnimDecoderDelete);
  WebPAnimInfo info;
  if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &info)) fail_webp(name);
  if (static_cast<int>(info.canvas_width) != size.width ||
      static_cast<int>(info.canvas_height) != size.height)
    fail_webp(name);
  uint8_t* rgba = nullptr;  // the decoder's
  int timestamp = 0;
  if (!WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp)) fail_webp(name);
  Image image = blank_image(size);
  for (size_t i = 0; i < size.pixels(); ++i)
    std::copy_n(rgba + 4 * i, 3, image.rgb.begin() + static_cast<ptrdiff_t>(3 * i));
  return image;
}

}  // namespace qslaw
