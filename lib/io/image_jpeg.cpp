#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kJpegEnd = "\xFF\xD9"sv;

struct JpegHeader {
  PictureSize size;
  bool is_cmyk = false;
};

// a * b / 255, rounded as Pillow rounds it.
int scaled(int a, int b) {
  const int product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

/// Pillow takes every CMYK JPEG for one of Adobe's, which are stored inverted, and each color for light that
/// black lets through, without a color profile. `inverted` holds 255 - C, M, Y and K.
Image rgb_of_cmyk(const std::vector<uint8_t>& inverted, PictureSize size) {
  Image image = blank_image(size);
  for (size_t i = 0; i < size.pixels(); ++i) {
    const int light = inverted[4 * i + 3];
    for (size_t c = 0; c < 3; ++c)
      image.rgb[3 * i + c] =
          static_cast<uint8_t>(std::max(0, light - scaled(255 - inverted[4 * i + c], light)));
  }
  return image;
}

/// libjpeg-turbo's decompressor.
class JpegDecoder {
 public:
  JpegDecoder(std::string_view bytes, const std::string& name)
      : bytes_(bytes), name_(name), handle_(tjInitDecompress(), tjDestroy) {
    QSLAW_CHECK(handle_ != nullptr);
  }

  JpegHeader read_header() {
    int width = 0, height = 0, subsampling = 0, colors = 0;
    check(tjDecompressHeader3(handle_.get(), unsigned_data(bytes_), bytes_.size(), &width, &height,
                              &subsampling, &colors));
    // A file cut before the picture passes for one of tables only.
    require(width > 0, "image", "expected a sound JPEG, got one that is cut short (", name_, ")");
    return {picture_size(width, height, name_), colors == TJCS_CMYK || colors == TJCS_YCCK};
  }

  Image decode() {
    const JpegHeader header = read_header();
    if (header.is_cmyk) {
      std::vector<uint8_t> cmyk(4 * header.size.pixels());
      decompress(header.size, TJPF_CMYK, cmyk);
      return rgb_of_cmyk(cmyk, header.size);
    }
    Image image = blank_image(header.size);
    decompress(header.size, TJPF_RGB, image.rgb);
    return image;
  }

 private:
  // Accurate DCT and (the default) smooth chroma upsampling are what Pillow decodes with.
  void decompress(PictureSize size, int pixel_format, std::vector<uint8_t>& out) {
    check(tjDecompress2(handle_.get(), unsigned_data(bytes_), bytes_.size(), out.data(), size.width, 0,
                        size.height, pixel_format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS));
  }

  void check(int result) const {
    if (result == 0 || only_stray_bytes()) return;
    if (!bytes_.ends_with(kJpegEnd)) {
      fail("image", "expected a sound JPEG, got one that is cut short or damaged (", name_, ")");
    }
    fail("image", "expected a sound JPEG, got one that is damaged or of a kind not known here (", name_,
         "; libjpeg-turbo: ", tjGetErrorStr2(handle_.get()), ")");
  }

  /// Stray bytes between segments harm no pixel, web pictures have them, and Pillow reads on. The first
  /// warning hides later ones, so the end of the picture must be there as well.
  bool only_stray_bytes() const {
    const std::string_view message = tjGetErrorStr2(handle_.get());
    return tjGetErrorCode(handle_.get()) == TJERR_WARNING &&
           message.find("extraneous bytes before marker") != std::string_view::npos &&
           bytes_.ends_with(kJpegEnd);
  }

  std::string_view bytes_;
  const std::string& name_;
  std::unique_ptr<void, int (*)(tjhandle)> handle_;
};

}  // namespace

void check_jpeg_header(std::string_view bytes, const std::string& name) {
  JpegDecoder(bytes, name).read_header();
}

Image decode_jpeg(std::string_view bytes, const std::string& name) {
  return JpegDecoder(bytes, name).decode();
}

}  // namespace qslaw
