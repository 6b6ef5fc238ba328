#include "io/gif_indices.h"

#include <algorithm>

namespace qslaw {
namespace {

/// The codes of a frame's pixels: bits in blocks of bytes, low ones first.
class GifCodes {
 public:
  explicit GifCodes(GifFileType* gif) : gif_(gif) { take_block(DGifGetCode(gif, &index_bits_, &block_)); }

  int index_bits() const { return index_bits_; }

  /// None where the whole blocks end.
  std::optional<uint32_t> next(int bits) {
    for (; count_ < bits; count_ += 8) {
      if (left_.empty()) take_block(DGifGetCodeNext(gif_, &block_));
      if (left_.empty()) return std::nullopt;
      held_ |= uint32_t{static_cast<unsigned char>(left_.front())} << count_;
      left_.remove_prefix(1);
    }
    const uint32_t code = held_ & ((1U << bits) - 1);
    held_ >>= bits;
    count_ -= bits;
    return code;
  }

 private:
  void take_block(int status) {
    if (status == GIF_OK && block_ != nullptr) left_ = gif_block(block_);
  }

  GifFileType* gif_;
  GifByteType* block_ = nullptr;
  int index_bits_ = 0;
  std::string_view left_;
  uint32_t held_ = 0;
  int count_ = 0;  // bits in held_
};

/// Neighbors among the indices so far.
struct Run {
  size_t at = 0;
  size_t size = 0;
};

/// What codes stand for since the last clear code.
struct CodeTable {
  int index_bits;
  uint32_t clear = 1U << index_bits;  // lower codes are indices; the next one is that of the end
  int bits = 0;                       // of a code
  std::vector<Run> runs = {};         // by code; empty up to the code of the end

  void start_over() {
    bits = index_bits + 1;
    runs.assign(clear + 2, {});
  }

  void add(Run run) {
    constexpr int kMostBits = 12;
    if (runs.size() == size_t{1} << kMostBits) return;
    runs.push_back(run);
    if (runs.size() == size_t{1} << bits && bits < kMostBits) ++bits;
  }
};

}  // namespace

std::optional<std::vector<uint8_t>> read_gif_indices(GifFileType* gif, size_t count) {
  // LZW: a code is an index or a run that was there before.
  GifCodes codes(gif);
  CodeTable table{codes.index_bits()};
  table.start_over();
  std::vector<uint8_t> indices;
  Run last;  // what the code before stood for; empty behind a clear code
  while (indices.size() < count) {
    const std::optional<uint32_t> code = codes.next(table.bits);
    if (code == table.clear) {
      table.start_over();
      last = {};
      continue;
    }
    if (last.size > 0) table.add({last.at, last.size + 1});  // with the first index of this code's
    if (!code || *code == table.clear + 1 || *code >= table.runs.size()) return std::nullopt;
    const Run source = table.runs[*code];
    last = {indices.size(), std::max<size_t>(source.size, 1)};
    if (*code < table.clear) indices.push_back(static_cast<uint8_t>(*code));
    for (size_t i = 0; i < source.size; ++i)
      indices.push_back(indices[source.at + i]);
  }
  return indices;
}

}  // namespace qslaw
