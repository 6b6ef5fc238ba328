#include "data/sample_pictures.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace qslaw {
namespace {

// A recipe's folders are absolute when it has been read: a relative path is a name that none was put before.
std::string missing_folder(const Sample& sample) {
  std::error_code unreachable;
  for (const auto& picture : sample.pictures) {
    if (picture.is_relative() && !std::filesystem::exists(picture, unreachable))
      return " (no images folder is given: key images)";
  }
  return "";
}

}  // namespace

void for_each_picture(const Sample& sample, const std::function<void(const std::filesystem::path&)>& use) {
  try {
    for (const auto& picture : sample.pictures)
      use(picture);
  } catch (const UserError& problem) {
    fail(sample.where.empty() ? "sample " + sample.id : sample.where, without_place(problem.what()),
         missing_folder(sample));
  }
}

void decode_pictures(LoadedSample& loaded, const ImageTransform& transform) {
  for_each_picture(loaded.sample, [&](const std::filesystem::path& picture) {
    loaded.pixels_3SS.push_back(transform_image(read_image(picture), transform));
  });
  std::string& bytes = loaded.sample.picture_bytes;
  if (bytes.empty()) return;
  loaded.pixels_3SS.push_back(transform_image(decode_image(bytes, loaded.sample.where), transform));
  bytes.clear();  // as long as the pixels
}

}  // namespace qslaw
