#include "io/image.h"

#include <turbojpeg.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

#include <climits>
#include <fstream>
#include <memory>

#include "core/error.h"
#include "core/files.h"
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

constexpr std::string_view kJpegEnd = "\xFF\xD9"sv, kPngEnd = "IEND"sv;

enum class Format { jpeg, png };

struct Kind {
  std::string_view first_bytes, name;
};
constexpr Kind kOtherKinds[] = {{"GIF8"sv, "a GIF"},   {"RIFF"sv, "a WebP (RIFF)"}, {"BM"sv, "a BMP"},
                                {"II*\0"sv, "a TIFF"}, {"MM\0*"sv, "a TIFF"},       {"%PDF"sv, "a PDF"},
                                {"<svg"sv, "an SVG"},  {"<!DOCTYPE"sv, "an HTML"},  {"<html"sv, "an HTML"}};

Format detect_format(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return Format::jpeg;
  if (bytes.starts_with("\x89PNG\r\n\x1A\n"sv)) return Format::png;
  if (bytes.empty()) fail("image", "expected a JPEG or PNG picture, got an empty file (", name, ")");
  refuse_lfs_pointer(bytes, name, "image", "a JPEG or PNG picture");
  for (const Kind& kind : kOtherKinds) {
    if (bytes.starts_with(kind.first_bytes)) {
      fail("image", "expected a JPEG or PNG picture, got ", kind.name, " file (", name, ")");
    }
  }
  fail("image", "expected a JPEG or PNG picture, got a file with neither signature (", name, ")");
}

struct Size {
  int width = 0, height = 0;
  size_t bytes() const { return static_cast<size_t>(width) * static_cast<size_t>(height) * 3; }
};

Size make_size(int64_t width, int64_t height, const std::string& name) {
  require(width > 0 && height > 0 && width <= kMaxPixels / height, "image", "expected 1 to ", kMaxPixels,
          " pixels, got ", width, " x ", height, " (", name, ")");
  return {static_cast<int>(width), static_cast<int>(height)};
}

const unsigned char* unsigned_data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// libjpeg-turbo's decompressor.
class JpegDecoder {
 public:
  JpegDecoder(std::string_view bytes, const std::string& name)
      : bytes_(bytes), name_(name), handle_(tjInitDecompress(), tjDestroy) {
    QSLAW_CHECK(handle_ != nullptr);
  }

  Size read_header() {
    int width = 0, height = 0, subsampling = 0, colors = 0;
    check(tjDecompressHeader3(handle_.get(), unsigned_data(bytes_), bytes_.size(), &width, &height,
                              &subsampling, &colors));
    // A file cut before the picture passes for one of tables only.
    require(width > 0, "image", "expected a sound JPEG, got one that is cut short (", name_, ")");
    require(colors != TJCS_CMYK && colors != TJCS_YCCK, "image",
            "expected an RGB or gray JPEG, got a CMYK one (", name_, "); convert it to RGB first");
    return make_size(width, height, name_);
  }

  Image decode() {
    const Size size = read_header();
    Image image{size.width, size.height, std::vector<uint8_t>(size.bytes())};
    // Accurate DCT and (the default) smooth chroma upsampling are what Pillow decodes with.
    check(tjDecompress2(handle_.get(), unsigned_data(bytes_), bytes_.size(), image.rgb.data(), image.width, 0,
                        image.height, TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS));
    return image;
  }

 private:
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

Size read_png_header(std::string_view bytes, const std::string& name) {
  require(bytes.size() <= INT_MAX, "image", "expected a file below 2 GiB, got ", bytes.size(), " bytes (",
          name, ")");
  // Signature 8, chunk length 4, "IHDR", width 4, height 4: read here as stb calls a size too large
  // "unknown".
  if (bytes.size() >= 24 && bytes.substr(12, 4) == "IHDR") {
    const Size size = make_size(big_endian_32(bytes, 16), big_endian_32(bytes, 20), name);
    int width = 0, height = 0, channels = 0;
    if (stbi_info_from_memory(unsigned_data(bytes), static_cast<int>(bytes.size()), &width, &height,
                              &channels)) {
      return size;
    }
    fail_png(bytes, name, stbi_failure_reason());
  }
  fail_png(bytes, name, "");
}

Image decode_png(std::string_view bytes, const std::string& name) {
  const Size size = read_png_header(bytes, name);
  const auto length = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> rgb(
      stbi_load_from_memory(unsigned_data(bytes), length, &width, &height, &channels, 3), stbi_image_free);
  if (!rgb) fail_png(bytes, name, stbi_failure_reason());
  QSLAW_CHECK(width == size.width && height == size.height);
  return {width, height, std::vector<uint8_t>(rgb.get(), rgb.get() + size.bytes())};
}

}  // namespace

Image decode_image(std::string_view bytes, const std::string& name) {
  if (detect_format(bytes, name) == Format::jpeg) return JpegDecoder(bytes, name).decode();
  return decode_png(bytes, name);
}

Image read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.string());
}

void check_image_header(std::string_view bytes, const std::string& name) {
  if (detect_format(bytes, name) == Format::jpeg) {
    JpegDecoder(bytes, name).read_header();
  } else {
    read_png_header(bytes, name);
  }
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
