// The compressed pixels of a GIF's frame.
#pragma once
#include <gif_lib.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace qslaw {

/// The bytes of a block, whose first one is their number.
inline std::string_view gif_block(const GifByteType* block) {
  return {reinterpret_cast<const char*>(block + 1), block[0]};
}

/// At least the first `count` palette indices of the frame that giflib is at, in the order of the file. None
/// where the whole blocks end before, or for a code that stands for nothing: Pillow refuses these, while
/// giflib's DGifGetLine makes indices up. REQUIRES: DGifGetImageDesc was called, and nothing since.
std::optional<std::vector<uint8_t>> read_gif_indices(GifFileType* gif, size_t count);

}  // namespace qslaw
