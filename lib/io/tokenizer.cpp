#include "io/tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/files.h"
#include "core/one_line.h"
#include "io/added_tokens.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "io/sentencepiece_model.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using sentencepiece::SentencePieceProcessor;

// SentencePiece needs about 160 bytes of memory per byte of input, so long texts are encoded in parts of this
// size.
constexpr size_t kPartBytes = 64 * 1024;

void load_model(SentencePieceProcessor& processor, const std::string& bytes, const std::string& file) {
  const auto status = processor.LoadFromSerializedProto(bytes);
  require(status.ok(), "tokenizer", "expected a sound SentencePiece model, got a damaged one (", file,
          "; sentencepiece: ", one_line(status.message()), ")");
}

// Hugging Face's `legacy` switch of tokenizer_config.json; missing means true.
bool read_legacy(const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json";
  if (!fs::exists(file)) return true;
  const nlohmann::json config = read_json(file);
  const auto legacy = config.find("legacy");
  return legacy == config.end() || !legacy->is_boolean() || legacy->get<bool>();
}

}  // namespace

struct Tokenizer::State {
  SentencePieceProcessor prefixed;  // with the dummy prefix
  SentencePieceProcessor bare;      // the same model without
  SentencePieceFacts facts;
  AddedTokenSplitter added;
  std::unordered_set<int64_t> silent;  // ids that `decode` leaves out
  std::unordered_set<int64_t> roles;   // of tokens with a part to play
  int64_t size = 0;
  bool legacy = true;

  void load_added(const fs::path& folder);
  void add_special(const fs::path& folder, std::vector<AddedToken>& tokens);
  void begin_text(const Stretch& first, std::vector<TokenSpan>& out) const;
  void encode_part(std::string_view text, size_t offset, bool prefix, std::vector<TokenSpan>& out) const;
  void encode_stretch(std::string_view text, const Stretch& stretch, bool prefix,
                      std::vector<TokenSpan>& out) const;
};

void Tokenizer::State::load_added(const fs::path& folder) {
  std::vector<AddedToken> tokens = read_added_tokens(folder);
  size = facts.pieces;
  for (const AddedToken& token : tokens) {
    if (token.id >= facts.pieces) {
      ++size;
      continue;
    }
    const std::string& piece = prefixed.IdToPiece(static_cast<int>(token.id));
    require(piece == token.text, "tokenizer", "expected \"", piece, "\" as the token with id ", token.id,
            " (tokenizer.model), got \"", token.text, "\" in ", folder.string());
  }
  add_special(folder, tokens);
  for (const AddedToken& token : tokens)
    silent.insert(token.id);
  silent.insert({prefixed.unk_id(), prefixed.bos_id(), prefixed.eos_id()});
  // Without legacy splitting Hugging Face writes a space for each U+2581 of the text.
  added = AddedTokenSplitter(std::move(tokens), !legacy);
}

// Tokens with a part to play stand for themselves in a text, too: pieces of the model under their own id,
// others behind all that have one. The model's three have it unless the checkpoint gives it to others.
void Tokenizer::State::add_special(const fs::path& folder, std::vector<AddedToken>& tokens) {
  std::vector<SpecialToken> special = read_special_tokens(folder);
  const auto has_role = [&special](const std::string& role) {
    return std::any_of(special.begin(), special.end(), [&](const auto& one) { return one.role == role; });
  };
  const std::pair<const char*, int> own[] = {
      {"unk_token", prefixed.unk_id()}, {"bos_token", prefixed.bos_id()}, {"eos_token", prefixed.eos_id()}};
  for (const auto& [role, id] : own) {
    if (!has_role(role)) special.push_back({role, {.text = prefixed.IdToPiece(id)}});
  }
  for (SpecialToken& one : special) {
    AddedToken& token = one.token;
    if (token.text.empty()) continue;
    const auto known = std::find_if(tokens.begin(), tokens.end(),
                                    [&token](const AddedToken& other) { return other.text == token.text; });
    if (known != tokens.end()) {
      roles.insert(known->id);
      continue;
    }
    const int piece = prefixed.PieceToId(token.text);
    token.id = prefixed.IdToPiece(piece) == token.text ? piece : size++;
    roles.insert(token.id);
    tokens.push_back(token);
  }
}

// Without legacy splitting the text's dummy prefix is a token of its own before an added token that begins
// it, unless that one has a part to play.
void Tokenizer::State::begin_text(const Stretch& first, std::vector<TokenSpan>& out) const {
  if (legacy || first.token == nullptr || roles.contains(first.token->id)) return;
  out.push_back({prefixed.PieceToId("\u2581"), 0, 0});
}

void Tokenizer::State::encode_part(std::string_view text, size_t offset, bool prefix,
                                   std::vector<TokenSpan>& out) const {
  sentencepiece::ImmutableSentencePieceText pieces;
  const auto status = (prefix ? prefixed : bare).Encode(text, pieces.mutable_proto());
  require(status.ok(), "tokenizer", "cannot encode a text of ", text.size(), " bytes: ", status.message());
  for (const auto& piece : pieces.pieces()) {
    out.push_back({static_cast<int64_t>(piece.id()), offset + piece.begin(), offset + piece.end()});
  }
}

void Tokenizer::State::encode_stretch(std::string_view text, const Stretch& stretch, bool prefix,
                                      std::vector<TokenSpan>& out) const {
  size_t begin = stretch.begin;
  while (begin < stretch.end) {
    size_t end = stretch.end;
    if (facts.lines_are_independent && end - begin > kPartBytes) {
      end = std::min(text.find('\n', begin + kPartBytes), stretch.end);
    }
    encode_part(text.substr(begin, end - begin), begin, prefix && begin == stretch.begin, out);
    begin = end;
  }
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.model";
  require(fs::exists(file), "tokenizer", "expected the SentencePiece model ", file.string(),
          ", got no such file");
  const std::string bytes = read_file(file);
  refuse_lfs_pointer(bytes, file, "tokenizer", "a SentencePiece model");
  auto state = std::make_unique<State>();
  state->facts = inspect_sentencepiece_model(bytes, file.string());
  load_model(state->prefixed, bytes, file.string());
  load_model(state->bare, without_dummy_prefix(bytes), file.string());
  const auto& model = state->prefixed;
  require(model.unk_id() >= 0 && model.bos_id() >= 0 && model.eos_id() >= 0, "tokenizer",
          "expected the pieces <unk>, <s> and </s> in ", file.string(), ", got ids ", model.unk_id(), ", ",
          model.bos_id(), ", ", model.eos_id());
  state->legacy = read_legacy(folder);
  state->load_added(folder);
  return Tokenizer(std::move(state));
}

std::vector<TokenSpan> Tokenizer::encode_with_spans(std::string_view text, std::string_view plain) const {
  std::vector<TokenSpan> out;
  bool first = true;
  for (const Stretch& stretch : state_->added.split(text, plain)) {
    if (first) state_->begin_text(stretch, out);
    if (stretch.token != nullptr) {
      out.push_back({stretch.token->id, stretch.begin, stretch.end});
    } else {
      state_->encode_stretch(text, stretch, state_->legacy || first, out);
    }
    first = false;
  }
  return out;
}

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int64_t> ids;
  for (const TokenSpan& token : encode_with_spans(text))
    ids.push_back(token.id);
  return ids;
}

std::string Tokenizer::decode(const std::vector<int64_t>& ids) const {
  std::vector<int> visible;
  for (const int64_t id : ids) {
    if (id >= 0 && id < state_->facts.pieces && !state_->silent.contains(id))
      visible.push_back(static_cast<int>(id));
  }
  std::string text;
  const auto status = state_->prefixed.Decode(visible, &text);
  QSLAW_CHECK(status.ok());
  return text;
}

int64_t Tokenizer::bos_id() const {
  return state_->prefixed.bos_id();
}
int64_t Tokenizer::eos_id() const {
  return state_->prefixed.eos_id();
}
int64_t Tokenizer::unk_id() const {
  return state_->prefixed.unk_id();
}
int64_t Tokenizer::size() const {
  return state_->size;
}

std::pair<std::string, int64_t> Tokenizer::highest() const {
  const auto last_piece = static_cast<int>(state_->facts.pieces - 1);
  std::pair<std::string, int64_t> highest(state_->prefixed.IdToPiece(last_piece), last_piece);
  for (const AddedToken& token : state_->added.tokens()) {
    if (token.id > highest.second) highest = {token.text, token.id};
  }
  return highest;
}

std::optional<int64_t> Tokenizer::special_id(const std::string& token) const {
  for (const AddedToken& known : state_->added.tokens()) {
    if (known.text == token) return known.id;
  }
  return {};
}

}  // namespace qslaw
