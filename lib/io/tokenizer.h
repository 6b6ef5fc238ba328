// SentencePiece with a checkpoint's added tokens; ids equal to Hugging Face's slow LlamaTokenizer. Reading
// and encoding are thread safe.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qslaw {

/// A token and the bytes of the input it stands for; begin == end for the dummy prefix, and for all but the
/// last of the byte tokens that spell one character.
struct TokenSpan {
  int64_t id = 0;
  size_t begin = 0;
  size_t end = 0;
};

class Tokenizer {
 public:
  /// Reads `folder`/tokenizer.model and, where present, the tokens of io/added_tokens.h and `legacy` of
  /// tokenizer_config.json. UserError when missing or damaged.
  static Tokenizer load(const std::filesystem::path& folder);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Token ids without BOS. Special tokens written in the text ("</s>", added tokens) become their ids; each
  /// stretch between them is encoded on its own, with SentencePiece's dummy prefix. When the checkpoint says
  /// `legacy: false`, only the text's beginning has it, even before an added token, if that is not bos_token,
  /// pad_token or the like. REQUIRES: valid UTF-8.
  std::vector<int64_t> encode(std::string_view text) const;
  /// `plain`: an added token that is text like any other here.
  std::vector<TokenSpan> encode_with_spans(std::string_view text, std::string_view plain = {}) const;

  /// Text of the ids; special and added tokens are left out. Ids outside the vocabulary are left out.
  std::string decode(const std::vector<int64_t>& ids) const;

  int64_t bos_id() const;
  int64_t eos_id() const;
  int64_t unk_id() const;
  /// Pieces of the SentencePiece model plus added tokens.
  int64_t size() const;
  /// The token with the highest id that a text can have, and that id.
  std::pair<std::string, int64_t> highest() const;
  /// Id of an added or special token such as "<image>" or "</s>".
  std::optional<int64_t> special_id(const std::string& token) const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace qslaw
