// What the pickle of a torch.save file says about tensors.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "io/torch_file.h"

namespace qslaw {

/// The tensors of the pickle `bytes`, whose storages are `records` named `folder` + "data/" + key.
std::map<std::string, TorchFile::Entry> read_torch_pickle(
    std::string_view bytes, const std::map<std::string, std::string_view>& records, const std::string& folder,
    const std::string& file);

}  // namespace qslaw
