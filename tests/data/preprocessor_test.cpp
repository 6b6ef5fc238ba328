// preprocessor_config.json as checkpoints have it, and what is refused.
#include "data/preprocessor.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/files.h"
#include "temporary_folder.h"

using namespace qslaw;

namespace {

ImageTransform read(const std::string& text) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "preprocessor_config.json", text);
  return read_preprocessor(folder.path(), 336);
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const UserError& problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("picture settings as published checkpoints write them") {
  // The keys of llava-hf/llava-1.5-7b-hf; openai/clip-vit-large-patch14-336 has plain numbers for the sizes.
  const ImageTransform llava = read(
      R"({"crop_size": {"height": 336, "width": 336}, "do_center_crop": true, "do_convert_rgb": true,
          "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.25, 0.125],
          "image_std": [0.26862954, 0.26130258, 0.5], "resample": 3, "rescale_factor": 0.00392156862745098,
          "size": {"shortest_edge": 336}})");
  CHECK(llava.size == 336);
  CHECK(llava.mode == AspectMode::square);
  CHECK(llava.mean[1] == 0.25F);
  CHECK(llava.std[2] == 0.5F);
  const ImageTransform clip = read(R"({"crop_size": 336, "size": 336, "do_pad": true})");
  CHECK(clip.mode == AspectMode::pad);
  CHECK(clip.mean[0] == 0.48145466F);
}

TEST_CASE("picture settings within processor_config.json come first, as transformers 5 reads them") {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "preprocessor_config.json", R"({"do_pad": false})");
  write_file_atomic(folder.path() / "processor_config.json", R"({"patch_size": 14})");
  CHECK(read_preprocessor(folder.path(), 336).mode == AspectMode::square);
  write_file_atomic(folder.path() / "processor_config.json", R"({"image_processor": {"do_pad": true}})");
  CHECK(read_preprocessor(folder.path(), 336).mode == AspectMode::pad);
}

TEST_CASE("without settings pictures are prepared as CLIP does") {
  const TemporaryFolder folder;
  const ImageTransform transform = read_preprocessor(folder.path(), 224);
  CHECK(transform.size == 224);
  CHECK(transform.mode == AspectMode::square);
}

TEST_CASE("picture settings that are malformed or not followed here are refused by name") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"image_mean": 0.5})", "expected three numbers as image_mean, got 0.5"},
      {R"({"image_std": [1, 1]})", "expected three numbers as image_std"},
      {R"({"image_std": [1, 0, 1]})", "expected numbers above 0 as image_std"},
      {R"({"do_pad": "yes"})", "expected true or false as do_pad, got \"yes\""},
      {R"({"do_center_crop": false})", "expected true as do_center_crop, got false"},
      {R"({"size": {"shortest_edge": 224}})", "expected the vision tower's 336 pixels as size"},
      {R"({"crop_size": {"height": 336, "width": 224}})", "as crop_size"},
      {R"({"resample": 2})", "expected 3 (bicubic) as resample, got 2"},
      {R"({"rescale_factor": 1})", "expected 1 / 255 as rescale_factor, got 1"},
      {"[]", "expected an object"}};
  for (const auto& [text, words] : cases) {
    INFO(text);
    CHECK_THAT(error_of(text), Catch::Contains(words) && Catch::Contains("preprocessor_config.json"));
  }
}
