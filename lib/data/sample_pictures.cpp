#include "data/sample_pictures.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace qslaw {

// A recipe's folders are absolute when it has been read: a relative path is a name that none was put before.
std::string missing_folder(const std::filesystem::path& picture) {
  std::error_code unreachable;
  if (picture.is_absolute() || std::filesystem::exists(picture, unreachable)) return "";
  return concat(" (no images folder is given: key images; looked for in ",
                std::filesystem::current_path(unreachable).string(), ")");
}

void for_each_picture(const Sample& sample, const std::function<void(const std::filesystem::path&)>& use) {
  for (const auto& picture : sample.pictures) {
    try {
      use(picture);
    } catch (const UserError& problem) {
      fail(sample.where.empty() ? "sample " + sample.id : sample.where, without_place(problem.what()),
           missing_folder(picture));
    }
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
