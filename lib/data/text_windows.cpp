#include "data/text_windows.h"

#include <algorithm>

#include "core/error.h"

namespace qslaw {
namespace {

std::vector<TextWindow> bos_windows(int64_t tokens, int64_t length) {
  std::vector<TextWindow> windows;
  for (int64_t begin = 0; begin + length <= tokens; begin += length - 1)
    windows.push_back({begin, begin + length, begin, true});
  if (windows.empty()) windows.push_back({0, tokens, 0, true});
  return windows;
}

std::vector<TextWindow> sliding_windows(int64_t tokens, int64_t length, int64_t stride) {
  std::vector<TextWindow> windows;
  int64_t seen = 0;
  for (int64_t begin = 0; seen < tokens; begin += stride) {
    const int64_t end = std::min(begin + length, tokens);
    const bool predicts = end - begin > 1;  // not where windows touch and one token is left
    if (predicts) windows.push_back({begin, end, seen, false});
    seen = end;
  }
  return windows;
}

}  // namespace

const std::vector<std::string>& window_kinds() {
  static const std::vector<std::string> kinds = {"bos", "stream", "sliding", "llama_cpp"};
  return kinds;
}

std::vector<TextWindow> text_windows(const std::string& kind, int64_t tokens, int64_t length, int64_t stride,
                                     const std::string& where) {
  QSLAW_CHECK(length >= 2 && tokens >= 2);
  if (kind == "bos") return bos_windows(tokens, length);
  if (kind == "sliding") {
    QSLAW_CHECK(stride >= 1 && stride <= length);
    return sliding_windows(tokens, length, stride);
  }
  const bool halves = kind == "llama_cpp";
  QSLAW_CHECK(kind == "stream" || (halves && length >= 3));
  require(tokens >= length, "data", "expected at least one window of ", length, " tokens in ", where,
          ", got ", tokens, " tokens with BOS (a smaller window, or windows: bos)");
  std::vector<TextWindow> windows;
  for (int64_t begin = 0; begin + length <= tokens; begin += length)
    windows.push_back({begin, begin + length, halves ? begin + length / 2 + 1 : begin, halves});
  return windows;
}

}  // namespace qslaw
