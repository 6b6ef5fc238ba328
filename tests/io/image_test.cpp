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

TEST_CASE("CMYK and YCCK JPEGs are refused by name") {
  std::string bytes = fixture("refused/cmyk.jpg");
  CHECK_THAT(decode_refusal(bytes), Catch::Contains("CMYK") && Catch::Contains("some/name.jpg"));
  CHECK_THAT(refusal([] { check_image_header(image_fixtures() / "refused/cmyk.jpg"); }),
             Catch::Contains("CMYK"));
  const size_t adobe = bytes.find("Adobe");
  REQUIRE(adobe != std::string::npos);
  bytes[adobe + 11] = 2;  // the color transform: 0 CMYK, 2 YCCK
  CHECK_THAT(decode_refusal(bytes), Catch::Contains("CMYK"));
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
  CHECK_THAT(decode_refusal("hello, this is text\n"), Catch::Contains("neither signature"));
  CHECK_THAT(decode_refusal("GIF89a..."), Catch::Contains("a GIF file"));
  CHECK_THAT(decode_refusal("RIFF\x10\0\0\0WEBPVP8 "s), Catch::Contains("WebP"));
  CHECK_THAT(decode_refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
             Catch::Contains("expected a JPEG or PNG picture, got a pointer of git-lfs, which `git lfs pull` "
                             "replaces (some/name.jpg)"));
  CHECK_THAT(decode_refusal("<html><body>404"), Catch::Contains("an HTML file"));
  CHECK_THAT(decode_refusal(std::string(100, '\0')), Catch::Contains("neither signature"));
}

TEST_CASE("missing files and folders are refused by path") {
  const fs::path missing = image_fixtures() / "no_such_picture.jpg";
  const fs::path folder = image_fixtures() / "refused";
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
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile("").path); }), Catch::Contains("empty file"));
  CHECK_THAT(refusal([&] { check_image_header(TemporaryFile("text").path); }),
             Catch::Contains("neither signature"));
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
}
