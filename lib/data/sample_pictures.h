// The pictures of a sample, with errors that name the sample: a picture only knows its path.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "data/batch.h"
#include "data/image_transform.h"

namespace qslaw {

/// What to add to an error about a picture that is not there: the folder in which its name was looked for,
/// and the key that is missing; "" where the path is absolute, as below a recipe's folder, or leads
/// somewhere.
std::string missing_folder(const std::filesystem::path& picture);

/// Calls `use` with the path of each of the sample's pictures. Its UserError is thrown again with the
/// sample's place ("[FILE, sample N (id ID)] ...") as its own, and with the key
/// that is missing where the path is relative and leads nowhere.
void for_each_picture(const Sample& sample, const std::function<void(const std::filesystem::path&)>& use);

/// Decodes and transforms the sample's pictures; bytes of one are let go. UserError names data file, sample
/// and picture.
void decode_pictures(LoadedSample& loaded, const ImageTransform& transform);

}  // namespace qslaw
