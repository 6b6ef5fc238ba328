// Oracle: Pillow's decoded pixels (tests/fixtures/images). Equality is exact for JPEGs too: the accurate DCT,
// the chroma upsampling and the color conversion are integer arithmetic, the same in every libjpeg-turbo
// from 2.1 on.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/error.h"
#include "io/image_fixtures.h"

using namespace qslaw;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

/// The one-line message of the UserError that `action` throws, "" when it throws none.
template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

std::string decode_refusal(const std::string& bytes) {
  return refusal([&] { decode_image(bytes, "some/name.jpg"); });
}

std::string fixture(const std::string& name) {
  return read_file(image_fixtures() / name);
}

/// A file that lives as long as the object.
struct TemporaryFile {
  fs::path path = fs::temp_directory_path() / concat("qslaw_image_test_", ::getpid());
  explicit TemporaryFile(const std::string& bytes) { write_file_atomic(path, bytes); }
  ~TemporaryFile() { fs::remove(path); }
};

std::string with_long_metadata(const std::string& jpeg) {
  const std::string segment =
      "\xFF\xE5\xEA\x62"s + std::string(0xEA60, 'x');  // APP5 of 60 002 bytes with its length
  return jpeg.substr(0, 2) + segment + segment + jpeg.substr(2);
}

/// A GIF of 3 x 2 pixels and four colors with `extension` in front of its frame. `codes`, of 3 bits each: 0
/// to 3 a color, 4 clears the table, 5 is the end, 6 and 7 are the runs that the second and third code behind
/// 4 make.
std::string small_gif(const std::vector<int>& codes, const std::string& extension = "") {
  std::string data((3 * codes.size() + 7) / 8, '\0');
  for (size_t bit = 0; bit < 3 * codes.size(); ++bit)
    data[bit / 8] = static_cast<char>(data[bit / 8] | (((codes[bit / 3] >> (bit % 3)) & 1) << (bit % 8)));
  const std::string colors = "\x0A\x0B\x0C\x14\x15\x16\x1E\x1F\x20\x28\x29\x2A"s;  // 10 11 12, 20 21 22, ...
  const std::string frame = ",\0\0\0\0\x03\0\x02\0\0\x02"s;
  return "GIF89a\x03\0\x02\0\x81\0\0"s + colors + extension + frame + static_cast<char>(data.size()) + data +
         "\0;"s;
}

std::vector<uint8_t> repeated(const std::vector<uint8_t>& pixel, size_t times) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i < times; ++i)
    out.insert(out.end(), pixel.begin(), pixel.end());
  return out;
}

}  // namespace

TEST_CASE("every fixture decodes to Pillow's pixels") {
  const auto& pictures = expected_images().at("pictures");
  REQUIRE(pictures.size() >= 24);
  for (const auto& picture : pictures) {
    const std::string file = picture.at("file");
    INFO(file);
    const Image image = read_image(image_fixtures() / file);
    CHECK(image.width == picture.at("width"));
    CHECK(image.height == picture.at("height"));
    const auto expected = expected_pixels(picture.at("decoded"), picture.at("width"), picture.at("height"));
    CHECK(largest_difference(image.rgb, expected) == 0);
    CHECK_NOTHROW(check_image_header(image_fixtures() / file));
  }
}

TEST_CASE("a JPEG cut at any byte is refused") {
  for (const char* name : {"photo_420.jpg", "photo_progressive.jpg", "photo_restart.jpg", "photo_gray.jpg"}) {
    const std::string whole = fixture(name);
    for (size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " cut to " << length << " of " << whole.size());
      CHECK_THAT(decode_refusal(whole.substr(0, length)), Catch::Contains("some/name.jpg"));
    }
  }
}

TEST_CASE("a PNG cut at any byte is refused") {
  for (const char* name : {"photo.png", "photo_palette.png", "interlaced.png"}) {
    const std::string whole = fixture(name);
    // The last four bytes are the checksum of the empty end chunk; without them all pixels are still there.
    for (size_t length = 0; length + 4 < whole.size(); ++length) {
      INFO(name << " cut to " << length << " of " << whole.size());
      CHECK_THAT(decode_refusal(whole.substr(0, length)), Catch::Contains("some/name.jpg"));
    }
  }
}

TEST_CASE("cut and damaged pictures are told apart in words") {
  std::string png = fixture("photo.png"), jpeg = fixture("photo_420.jpg");
  CHECK(decode_refusal(png.substr(0, png.size() / 2)) ==
        "[image] expected a sound PNG, got one that is cut short or damaged (some/name.jpg)");
  CHECK(decode_refusal(jpeg.substr(0, jpeg.size() / 2)) ==
        "[image] expected a sound JPEG, got one that is cut short or damaged (some/name.jpg)");
  for (size_t i = png.size() / 2; i < png.size() / 2 + 200; ++i)
    png[i] = '\x55';
  CHECK_THAT(decode_refusal(png), Catch::Contains("got one that is damaged (some/name.jpg"));
  jpeg.replace(jpeg.find("\xFF\xC0"), 2, "\xFF\xCB");  // a baseline picture that says it is lossless
  CHECK_THAT(decode_refusal(jpeg), Catch::Contains("damaged or of a kind not known here (some/name.jpg"));
}

TEST_CASE("WebP and BMP pictures cut at any byte are refused") {
  for (const char* name : {"photo.webp", "photo_lossless.webp", "photo_alpha.webp", "animated.webp",
                           "photo.bmp", "photo_palette.bmp", "noise_565.bmp", "os2.bmp"}) {
    const std::string whole = fixture(name);
    for (size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " cut to " << length << " of " << whole.size());
      CHECK_THAT(decode_refusal(whole.substr(0, length)), Catch::Contains("some/name.jpg"));
    }
  }
}

TEST_CASE("a GIF cut within its first frame's pixels is refused") {
  for (const char* name : {"photo.gif", "transparent.gif", "animated.gif"}) {
    const std::string whole = fixture(name);
    const Image image = decode_image(whole, "whole");
    size_t read = 0;
    for (size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " cut to " << length << " of " << whole.size());
      const std::string cut = whole.substr(0, length), refused = decode_refusal(cut);
      if (refused.empty()) {
        CHECK(decode_image(cut, "cut").rgb == image.rgb);
        ++read;
      } else {
        CHECK_THAT(refused, Catch::Contains("some/name.jpg"));
      }
    }
    // Behind the pixels come the code of their end, two marks and, in the animation, the other frame.
    CHECK(read < (name == std::string("animated.gif") ? whole.size() / 2 + 30 : size_t{6}));
  }
}

TEST_CASE("GIFs that lie are refused") {
  const std::string whole = fixture("photo.gif");
  const size_t frame = 13 + 3 * 32;  // behind the header and the palette of 32 colors
  REQUIRE(whole[frame] == ',');
  const auto changed = [&](size_t at, const std::string& bytes) {
    std::string out = whole;
    return decode_refusal(out.replace(at, bytes.size(), bytes));
  };
  CHECK_THAT(changed(frame, ";"), Catch::Contains("sound GIF"));               // no frame
  CHECK_THAT(changed(frame + 5, "\0\0"s), Catch::Contains("sound GIF"));       // no width
  CHECK_THAT(changed(frame + 5, "\x50"s), Catch::Contains("sound GIF"));       // more pixels than there are
  CHECK_THAT(changed(frame + 10, "\x0c"s), Catch::Contains("sound GIF"));      // codes of 13 bits
  CHECK_THAT(changed(frame + 12, "\xFF\xFF"s), Catch::Contains("sound GIF"));  // a code that nothing has made
  CHECK_THAT(changed(frame + 5, "\xFF\xFF\xFF\xFF"s), Catch::Contains("65535 x 65535"));
}

// Pillow 13 says of each of these "broken data stream" or "image file is truncated", and reads the sound ones
// as here. giflib's own expansion takes the first two of the codes.
TEST_CASE("GIF codes that stand for nothing are refused, as by Pillow") {
  CHECK(decode_image(small_gif({4, 1, 6, 7}), "sound").rgb == repeated({20, 21, 22}, 6));
  const Image cleared = decode_image(small_gif({4, 1, 6, 4, 2, 6}), "cleared in the middle");
  CHECK(std::vector<uint8_t>(cleared.rgb.begin(), cleared.rgb.begin() + 9) == repeated({20, 21, 22}, 3));
  CHECK(std::vector<uint8_t>(cleared.rgb.begin() + 9, cleared.rgb.end()) == repeated({30, 31, 32}, 3));
  const std::string message =
      "[image] expected a sound GIF, got one that is cut short or damaged (some/name.jpg)";
  CHECK(decode_refusal(small_gif({4, 1, 7, 4, 1, 1, 1})) == message);  // 7 comes behind 6
  CHECK(decode_refusal(small_gif({4, 1, 6, 4, 1, 7, 1})) == message);  // the second 4 has cleared the table
  CHECK(decode_refusal(small_gif({4, 6, 7, 7})) == message);           // no run yet
  CHECK(decode_refusal(small_gif({4, 1, 6, 5})) == message);           // the end before the last pixels
  CHECK(decode_refusal(small_gif({4, 1, 6})) == message);
}

// Of the bad ones Pillow 13 says that it cannot identify the file.
TEST_CASE("a GIF's graphic control that is too short is refused, as by Pillow") {
  const std::vector<int> codes = {4, 1, 6, 7};
  const std::string whole = "!\xF9\x04\x01\0\0\x03\0"s;
  const std::string no_color = "!\xF9\x03\x01\0\0\0"s, no_delay = "!\xF9\x02\0\0\0"s;
  CHECK(decode_refusal(small_gif(codes, whole)) == "");
  CHECK(decode_refusal(small_gif(codes, "!\xF9\x03\0\0\0\0"s)) == "");  // and needs none
  CHECK_THAT(decode_refusal(small_gif(codes, no_color)), Catch::Contains("sound GIF"));
  CHECK_THAT(decode_refusal(small_gif(codes, no_delay)), Catch::Contains("sound GIF"));
}

TEST_CASE("a GIF's palette may stand with its frame, and bytes of no meaning before that") {
  const std::string whole = fixture("photo.gif");
  const size_t frame = 13 + 3 * 32;  // behind the header and the palette of 32 colors
  REQUIRE(whole[frame] == ',');
  const std::string header =
      whole.substr(0, 10) + static_cast<char>(whole[10] & 0x7F) + whole.substr(11, 2);  // says: no palette
  const std::string place =
      whole.substr(frame, 9) + static_cast<char>(whole[frame + 9] | 0x84);  // says: 32 colors
  const std::string moved = header + "\x55\0"s + place + whole.substr(13, 3 * 32) + whole.substr(frame + 10);
  // Of the whole file they are Pillow's pixels, see the first test.
  CHECK(decode_image(moved, "moved").rgb == decode_image(whole, "whole").rgb);
}

TEST_CASE("BMP kinds that are not read are refused by what they are") {
  const std::string whole = fixture("photo_palette.bmp");
  const auto changed = [&](size_t at, const std::string& bytes) {
    std::string out = whole;
    return decode_refusal(out.replace(at, bytes.size(), bytes));
  };
  CHECK_THAT(changed(30, "\x01"s), Catch::Contains("got compression 1 (some/name.jpg)"));
  CHECK_THAT(changed(28, "\x02"s), Catch::Contains("got 2 bits"));
  CHECK_THAT(changed(14, "\x10"s), Catch::Contains("got a header of 16 bytes"));
  CHECK_THAT(changed(30, "\x03"s), Catch::Contains("got masks for 8 bits"));
  CHECK_THAT(changed(18, "\0\0\0\x7F"s), Catch::Contains("2130706432 x 18"));
  CHECK_THAT(changed(18, "\0\0\0\0"s), Catch::Contains("0 x 18"));
  std::string masks = fixture("noise_565.bmp");
  masks.replace(54, 4, "\x05\0\0\0"s);
  CHECK_THAT(decode_refusal(masks), Catch::Contains("got the color mask 5"));
}

TEST_CASE("stray bytes before a marker are read over, but do not hide a cut") {
  const std::string whole = fixture("photo_420.jpg");
  const Image image = decode_image(whole, "whole");
  const std::string stray = whole.substr(0, whole.size() - 2) + "\0\0"s + whole.substr(whole.size() - 2);
  CHECK(decode_image(stray, "stray").rgb == image.rgb);

  const std::string early = whole.substr(0, 20) + "\0\0"s + whole.substr(20);  // behind the JFIF segment
  CHECK(decode_image(early, "early").rgb == image.rgb);
  CHECK_THAT(decode_refusal(early.substr(0, early.size() - 200)), Catch::Contains("some/name.jpg"));
}

TEST_CASE("files that are no pictures are refused with what they are") {
  CHECK_THAT(decode_refusal(""), Catch::Contains("empty file") && Catch::Contains("some/name.jpg"));
  CHECK_THAT(decode_refusal("hello, this is text\n"), Catch::Contains("none of their signatures"));
  CHECK_THAT(decode_refusal("GIF89a..."), Catch::Contains("sound GIF"));
  CHECK_THAT(decode_refusal("RIFF\x10\0\0\0WEBPVP8 "s), Catch::Contains("sound WebP"));
  CHECK_THAT(decode_refusal("RIFF\x10\0\0\0WAVE"s), Catch::Contains("a RIFF file"));
  CHECK_THAT(decode_refusal("RIFF"), Catch::Contains("a RIFF file"));
  CHECK_THAT(decode_refusal("II*\0\x08\0\0\0"s), Catch::Contains("a TIFF file"));
  CHECK_THAT(
      decode_refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
      Catch::Contains("expected a JPEG, PNG, GIF, WebP or BMP picture, got a pointer of git-lfs, which "
                      "`git lfs pull` replaces (some/name.jpg)"));
  CHECK_THAT(decode_refusal("<html><body>404"), Catch::Contains("an HTML file"));
  CHECK_THAT(decode_refusal(std::string(100, '\0')), Catch::Contains("none of their signatures"));
}

TEST_CASE("missing files and folders are refused by path") {
  const fs::path missing = image_fixtures() / "no_such_picture.jpg";
  const fs::path folder = image_fixtures();
  for (const fs::path& path : {missing, folder}) {
    CHECK_THAT(refusal([&] { read_image(path); }), Catch::Contains(path.string()));
    CHECK_THAT(refusal([&] { check_image_header(path); }), Catch::Contains(path.string()));
  }
}

TEST_CASE("the header check sees bad headers and leaves the pixels alone") {
  const std::string jpeg = fixture("photo_420.jpg"), png = fixture("photo.png");
  CHECK(refusal([&] { check_image_header(TemporaryFile(jpeg.substr(0, jpeg.size() - 100)).path); }) == "");
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile(jpeg.substr(0, 60)).path); }),
             Catch::Contains("sound JPEG"));
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile(png.substr(0, 20)).path); }),
             Catch::Contains("sound PNG"));
  for (const auto& [name, header] : std::vector<std::pair<const char*, const char*>>{
           {"photo.gif", "sound GIF"}, {"photo.webp", "sound WebP"}, {"photo.bmp", "sound BMP"}}) {
    INFO(name);
    const std::string whole = fixture(name);
    CHECK(refusal([&] { check_image_header(whole.substr(0, whole.size() - 20), name); }) == "");
    CHECK_THAT(refusal([&] { check_image_header(whole.substr(0, 22), name); }), Catch::Contains(header));
  }
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile("").path); }), Catch::Contains("empty file"));
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile("text").path); }),
             Catch::Contains("none of their signatures"));
}

TEST_CASE("a header behind much metadata is found") {
  const std::string whole = fixture("photo_420.jpg");
  const TemporaryFile file(with_long_metadata(whole));
  REQUIRE(fs::file_size(file.path) > 100000);
  CHECK_NOTHROW(check_image_header(file.path));
  CHECK(read_image(file.path).rgb == decode_image(whole, "whole").rgb);
}

TEST_CASE("a picture that claims to be huge is refused before memory is taken") {
  std::string png = fixture("photo.png");
  png.replace(16, 8, "\0\x01\0\0\0\x01\0\0"s);  // width and height 65 536
  CHECK_THAT(decode_refusal(png), Catch::Contains("65536 x 65536"));
  std::string gif = fixture("photo.gif"), bmp = fixture("photo.bmp"), webp = fixture("animated.webp");
  gif.replace(6, 4, "\xFF\xFF\xFF\xFF"s);
  CHECK_THAT(decode_refusal(gif), Catch::Contains("65535 x 65535"));
  bmp.replace(18, 8, "\0\0\x01\0\0\0\x01\0"s);
  CHECK_THAT(decode_refusal(bmp), Catch::Contains("65536 x 65536"));
  REQUIRE(webp.substr(12, 4) == "VP8X");
  webp.replace(24, 6, "\xFF\xFF\0\xFF\xFE\0"s);  // less one, as WebP stores them
  CHECK_THAT(decode_refusal(webp), Catch::Contains("65536 x 65280"));
}
