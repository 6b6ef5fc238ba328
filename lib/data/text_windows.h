// How a text's tokens are cut into windows, and which of a window's tokens count: the conventions of
// published perplexities.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace qslaw {

/// The text's tokens with BOS before the first are one stream; a window is a stretch of it. No window's first
/// token is predicted.
struct TextWindow {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t counted = 0;         // the window's first token that counts, if it is predicted
  bool starts_as_bos = false;  // BOS stands in the place of the first token
};

/// `bos`, windows that overlap by one token, in whose place they have BOS: every token is predicted once;
/// `stream`, windows side by side as they come (GPTQ's, OmniQuant's and AWQ's code);
/// `sliding`, windows `stride` tokens apart in which only tokens that no window before has count, the last
/// one shorter (Hugging Face's guide to perplexity); `llama_cpp`, windows side by side with BOS in the place
/// of the first token, of which the second half counts (llama-perplexity).
const std::vector<std::string>& window_kinds();

/// The windows of `length` tokens, at most, of a stream of `tokens`. Behind the last whole one the rest of
/// the stream is left out, except by `sliding`, and by `bos` where it is all there is. UserError, naming
/// `where`, for a stream shorter than a window of `stream` or `llama_cpp`. REQUIRES: length >= 2
/// (llama_cpp: 3), tokens >= 2 and, for sliding, 1 <= stride <= length.
std::vector<TextWindow> text_windows(const std::string& kind, int64_t tokens, int64_t length, int64_t stride,
                                     const std::string& where);

}  // namespace qslaw
