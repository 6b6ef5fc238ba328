#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"
#include "io/image_formats.h"

namespace qslaw {
namespace {

constexpr size_t kFileHeader = 14, kOs2Header = 12, kInfoHeader = 40;
constexpr uint32_t kUncompressed = 0, kBitfields = 3;

using Color = std::array<uint8_t, 3>;

struct BmpHeader {
  PictureSize size;
  bool is_top_down = false;
  size_t bits = 0;  // of a pixel
  size_t pixels_at = 0;
  size_t palette_at = 0, palette_entry = 4, colors = 0;
  std::array<uint32_t, 3> masks = {};  // of red, green and blue, from 16 bits on

  size_t row_bytes() const { return (static_cast<size_t>(size.width) * bits + 31) / 32 * 4; }
};

// The unsigned little-endian number of `size` bytes (up to 4) at `at`. REQUIRES: they are there.
uint32_t little_endian(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

[[noreturn]] void fail_cut(const std::string& name) {
  fail("image", "expected a sound BMP, got one that is cut short (", name, ")");
}

template <typename... Parts>
void require_known(bool holds, const std::string& name, const Parts&... parts) {
  require(holds, "image", "expected an uncompressed BMP of 1, 4, 8, 16, 24 or 32 bits, got ", parts..., " (",
          name, ")");
}

std::array<uint32_t, 3> usual_masks(size_t bits) {
  if (bits == 16) return {0x7c00, 0x03e0, 0x001f};
  return {0xff0000, 0x00ff00, 0x0000ff};
}

// The masks stand behind a header of 40 bytes, and at the same place within a longer one.
void read_bitfields(std::string_view bytes, const std::string& name, BmpHeader& header) {
  require_known(header.bits == 16 || header.bits == 32, name, "masks for ", header.bits, " bits");
  if (bytes.size() < kFileHeader + kInfoHeader + 4 * header.masks.size()) fail_cut(name);
  for (size_t c = 0; c < 3; ++c) {
    const uint32_t mask = little_endian(bytes, kFileHeader + kInfoHeader + 4 * c, 4);
    const uint32_t ones = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    require_known(mask != 0 && std::popcount(mask) <= 8 && (ones & (ones + 1)) == 0, name, "the color mask ",
                  mask);
    header.masks[c] = mask;
  }
}

// A header's size tells its kind: OS/2's, Windows' or a longer one that begins as that. The file holds its
// fields.
size_t header_bytes(std::string_view bytes, const std::string& name) {
  if (bytes.size() < kFileHeader + kOs2Header) fail_cut(name);
  const size_t size = little_endian(bytes, kFileHeader, 4);
  const bool is_os2 = size == kOs2Header;
  require_known(is_os2 || (size >= kInfoHeader && size <= 124), name, "a header of ", size, " bytes");
  if (!is_os2 && bytes.size() < kFileHeader + kInfoHeader) fail_cut(name);
  return size;
}

// Negative heights are those of pictures stored from the top.
void read_size(std::string_view bytes, const std::string& name, bool is_os2, BmpHeader& header) {
  const auto number = [&](size_t os2_at, size_t at) {
    return is_os2 ? static_cast<int32_t>(little_endian(bytes, kFileHeader + os2_at, 2))
                  : static_cast<int32_t>(little_endian(bytes, kFileHeader + at, 4));
  };
  const int64_t width = number(4, 4), height = number(6, 8);
  header.is_top_down = height < 0;
  header.size = picture_size(width, header.is_top_down ? -height : height, name);
}

void read_pixel_kind(std::string_view bytes, const std::string& name, bool is_os2, BmpHeader& header) {
  const size_t bits = little_endian(bytes, kFileHeader + (is_os2 ? 10 : 14), 2);
  require_known(bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32, name, bits,
                " bits");
  const uint32_t compression = is_os2 ? kUncompressed : little_endian(bytes, kFileHeader + 16, 4);
  require_known(compression == kUncompressed || compression == kBitfields, name, "compression ", compression);
  header.bits = bits;
  header.masks = usual_masks(bits);
  if (compression == kBitfields) read_bitfields(bytes, name, header);
}

BmpHeader read_bmp_header(std::string_view bytes, const std::string& name) {
  const size_t size = header_bytes(bytes, name);
  const bool is_os2 = size == kOs2Header;
  BmpHeader header;
  read_size(bytes, name, is_os2, header);
  read_pixel_kind(bytes, name, is_os2, header);
  header.pixels_at = little_endian(bytes, 10, 4);
  if (header.bits > 8) return header;
  header.palette_at = kFileHeader + size;
  header.palette_entry = is_os2 ? 3 : 4;
  const size_t used = is_os2 ? 0 : little_endian(bytes, kFileHeader + 32, 4);
  header.colors = used == 0 ? size_t{1} << header.bits : std::min<size_t>(used, 256);
  return header;
}

// Beyond the file's colors black, as in Pillow.
std::array<Color, 256> read_palette(std::string_view bytes, const std::string& name,
                                    const BmpHeader& header) {
  std::array<Color, 256> palette = {};
  if (bytes.size() < header.palette_at + header.colors * header.palette_entry) fail_cut(name);
  for (size_t i = 0; i < header.colors; ++i) {
    for (size_t c = 0; c < 3; ++c)
      palette[i][2 - c] = static_cast<uint8_t>(bytes[header.palette_at + i * header.palette_entry + c]);
  }
  return palette;
}

// A row of palette indices; the leftmost pixel is in a byte's high bits.
void indexed_row(std::string_view row, const BmpHeader& header, const std::array<Color, 256>& palette,
                 uint8_t* out) {
  const size_t per_byte = 8 / header.bits;
  for (size_t x = 0; x < static_cast<size_t>(header.size.width); ++x) {
    const unsigned byte = static_cast<unsigned char>(row[x / per_byte]);
    const unsigned index = byte >> (8 - header.bits * (x % per_byte + 1)) & ((1U << header.bits) - 1);
    std::copy_n(palette[index].begin(), 3, out + 3 * x);
  }
}

void masked_row(std::string_view row, const BmpHeader& header, uint8_t* out) {
  const size_t pixel_bytes = header.bits / 8;
  for (size_t x = 0; x < static_cast<size_t>(header.size.width); ++x) {
    const uint32_t pixel = little_endian(row, x * pixel_bytes, pixel_bytes);
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t mask = header.masks[c], shift = static_cast<uint32_t>(std::countr_zero(mask));
      out[3 * x + c] = static_cast<uint8_t>(((pixel & mask) >> shift) * 255 / (mask >> shift));
    }
  }
}

}  // namespace

void check_bmp_header(std::string_view bytes, const std::string& name) {
  read_bmp_header(bytes, name);
}

Image decode_bmp(std::string_view bytes, const std::string& name) {
  const BmpHeader header = read_bmp_header(bytes, name);
  const auto height = static_cast<size_t>(header.size.height), row_bytes = header.row_bytes();
  if (bytes.size() < header.pixels_at + height * row_bytes) fail_cut(name);
  std::array<Color, 256> palette = {};
  if (header.bits <= 8) palette = read_palette(bytes, name, header);
  Image image = blank_image(header.size);
  for (size_t y = 0; y < height; ++y) {
    const size_t stored = header.is_top_down ? y : height - 1 - y;
    const std::string_view row = bytes.substr(header.pixels_at + stored * row_bytes, row_bytes);
    uint8_t* out = image.rgb.data() + 3 * y * static_cast<size_t>(header.size.width);
    if (header.bits <= 8) {
      indexed_row(row, header, palette, out);
    } else {
      masked_row(row, header, out);
    }
  }
  return image;
}

}  // namespace qslaw
