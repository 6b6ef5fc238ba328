// Tokens that stand for themselves in a text ("</s>", "<image>"), and the cutting of a text at them.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

struct AddedToken {
  std::string text;
  int64_t id = 0;
  bool strips_left = false;   // swallows the white space before it (Hugging Face's `lstrip`)
  bool strips_right = false;  // and after it (`rstrip`)
};

/// Tokens of `folder`/added_tokens.json and of `added_tokens_decoder` in `folder`/tokenizer_config.json,
/// whichever are there; without the latter also `added_tokens` of `folder`/tokenizer.json. UserError for a
/// malformed file, a `single_word` token (not supported), or one token with two ids.
std::vector<AddedToken> read_added_tokens(const std::filesystem::path& folder);

/// Tokens that have a part to play: `token` without its id, by "bos_token", "pad_token", ...
struct SpecialToken {
  std::string role;
  AddedToken token;
};

/// Of `folder`/tokenizer_config.json and, where that has no `added_tokens_decoder`, special_tokens_map.json,
/// in the order in which Hugging Face gives out ids. A role whose token is "" is listed. UserError as above.
std::vector<SpecialToken> read_special_tokens(const std::filesystem::path& folder);

/// Bytes [begin, end) of a text: an added token, or ordinary text when `token` is null.
struct Stretch {
  size_t begin = 0;
  size_t end = 0;
  const AddedToken* token = nullptr;  // owned by the AddedTokenSplitter
};

/// Cuts as Hugging Face's slow tokenizers do: leftmost match first, the longest where several begin.
class AddedTokenSplitter {
 public:
  AddedTokenSplitter() = default;
  /// underline_is_space: U+2581, SentencePiece's sign for a space, is white space that a token may swallow.
  AddedTokenSplitter(std::vector<AddedToken> tokens, bool underline_is_space);
  /// The stretches in order; empty ones are left out. `plain`: a token that is ordinary text here.
  std::vector<Stretch> split(std::string_view text, std::string_view plain = {}) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  const AddedToken* match(std::string_view text, size_t at, std::string_view plain) const;

  std::vector<AddedToken> tokens_;  // longest first
  bool underline_is_space_ = false;
  std::array<bool, 256> begins_token_{};
};

}  // namespace qslaw
