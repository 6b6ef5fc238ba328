#include "io/added_tokens.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/whitespace.h"
#include "io/json.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

void add(std::vector<AddedToken>& tokens, AddedToken token, const fs::path& file) {
  require(!token.text.empty() && token.id >= 0, "tokenizer", "expected a token and an id >= 0 in ",
          file.string(), ", got \"", token.text, "\" with id ", token.id);
  for (AddedToken& known : tokens) {
    if (known.text != token.text) continue;
    require(known.id == token.id, "tokenizer", "expected one id for \"", token.text, "\" in ", file.string(),
            ", got ", known.id, " and ", token.id);
    known = std::move(token);
    return;
  }
  tokens.push_back(std::move(token));
}

void read_plain_list(const fs::path& file, std::vector<AddedToken>& tokens) {
  const nlohmann::json list = read_json(file);
  require(list.is_object(), "tokenizer", "expected an object of token: id in ", file.string(), ", got ",
          list.type_name());
  for (const auto& [text, id] : list.items()) {
    require(id.is_number_integer(), "tokenizer", "expected a whole number as the id of \"", text, "\" in ",
            file.string(), ", got ", id.type_name());
    add(tokens, {.text = text, .id = id.get<int64_t>()}, file);
  }
}

bool flag(const nlohmann::json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_boolean() && found->get<bool>();
}

std::optional<int64_t> parse_id(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) return {};
  return std::stoll(text);
}

// {content: text, lstrip: ..., rstrip: ...} of `file`.
AddedToken parse_token(const nlohmann::json& entry, int64_t id, const fs::path& file) {
  const std::string text = entry["content"].get<std::string>();
  require(!flag(entry, "single_word"), "tokenizer", "expected no single_word token in ", file.string(),
          ", got \"", text, "\" (not supported)");
  return {text, id, flag(entry, "lstrip"), flag(entry, "rstrip")};
}

bool has_text(const nlohmann::json& entry) {
  return entry.is_object() && entry.contains("content") && entry["content"].is_string();
}

nlohmann::json read_object(const fs::path& file) {
  if (!fs::exists(file)) return nlohmann::json::object();
  nlohmann::json object = read_json(file);
  require(object.is_object(), "tokenizer", "expected an object in ", file.string(), ", got ",
          object.type_name());
  return object;
}

bool has_decoder(const nlohmann::json& config) {
  return config.contains("added_tokens_decoder") && !config["added_tokens_decoder"].is_null();
}

void read_decoder(const nlohmann::json& decoder, const fs::path& file, std::vector<AddedToken>& tokens) {
  require(decoder.is_object(), "tokenizer", "expected an object as added_tokens_decoder in ", file.string(),
          ", got ", decoder.type_name());
  for (const auto& [key, entry] : decoder.items()) {
    const auto id = parse_id(key);
    require(id && has_text(entry), "tokenizer", "expected id: {content: text} in added_tokens_decoder of ",
            file.string(), ", got the entry \"", key, "\"");
    add(tokens, parse_token(entry, *id, file), file);
  }
}

// `added_tokens` of a fast tokenizer.
void read_fast_list(const fs::path& file, std::vector<AddedToken>& tokens) {
  const nlohmann::json fast = read_object(file);
  if (!fast.contains("added_tokens")) return;
  for (const auto& entry : fast["added_tokens"]) {
    const bool whole = has_text(entry) && entry.contains("id") && entry["id"].is_number_integer();
    require(whole, "tokenizer", "expected {id, content} in added_tokens of ", file.string(), ", got ",
            entry.dump());
    add(tokens, parse_token(entry, entry["id"].get<int64_t>(), file), file);
  }
}

constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token",  "sep_token",
                                  "pad_token", "cls_token", "mask_token", "additional_special_tokens"};

void add_special(const char* role, const nlohmann::json& value, const fs::path& file,
                 std::vector<SpecialToken>& tokens) {
  if (value.is_null()) return;
  if (value.is_array()) {
    for (const auto& item : value)
      add_special(role, item, file, tokens);
    return;
  }
  require(value.is_string() || has_text(value), "tokenizer", "expected a text or {content: text} as ", role,
          " in ", file.string(), ", got ", value.dump());
  tokens.push_back(
      {role, value.is_string() ? AddedToken{value.get<std::string>()} : parse_token(value, 0, file)});
}

constexpr std::string_view kUnderline = "\u2581";

std::string_view without_left(std::string_view text, bool underline_is_space) {
  text = strip_left(text);
  while (underline_is_space && text.starts_with(kUnderline))
    text = strip_left(text.substr(kUnderline.size()));
  return text;
}

std::string_view without_right(std::string_view text, bool underline_is_space) {
  text = strip_right(text);
  while (underline_is_space && text.ends_with(kUnderline))
    text = strip_right(text.substr(0, text.size() - kUnderline.size()));
  return text;
}

// Moves the neighbors' bounds where a token swallows white space.
void strip_neighbors(std::string_view text, bool underline_is_space, std::vector<Stretch>& stretches) {
  for (size_t i = 0; i < stretches.size(); ++i) {
    const AddedToken* token = stretches[i].token;
    if (token == nullptr) continue;
    if (token->strips_right && i + 1 < stretches.size() && stretches[i + 1].token == nullptr) {
      Stretch& right = stretches[i + 1];
      const auto part = text.substr(right.begin, right.end - right.begin);
      right.begin = right.end - without_left(part, underline_is_space).size();
    }
    if (token->strips_left && i > 0 && stretches[i - 1].token == nullptr) {
      Stretch& left = stretches[i - 1];
      const auto part = text.substr(left.begin, left.end - left.begin);
      left.end = left.begin + without_right(part, underline_is_space).size();
    }
  }
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const fs::path& folder) {
  std::vector<AddedToken> tokens;
  const fs::path plain = folder / "added_tokens.json";
  const fs::path own = folder / "tokenizer_config.json";
  if (fs::exists(plain)) read_plain_list(plain, tokens);
  const nlohmann::json config = read_object(own);
  if (has_decoder(config)) {
    read_decoder(config["added_tokens_decoder"], own, tokens);
  } else {
    read_fast_list(folder / "tokenizer.json", tokens);
  }
  return tokens;
}

std::vector<SpecialToken> read_special_tokens(const fs::path& folder) {
  const fs::path own = folder / "tokenizer_config.json", shared = folder / "special_tokens_map.json";
  const nlohmann::json config = read_object(own);
  const nlohmann::json map = has_decoder(config) ? nlohmann::json::object() : read_object(shared);
  std::vector<SpecialToken> tokens;
  for (const char* role : kRoles) {
    if (map.contains(role)) {
      add_special(role, map[role], shared, tokens);
    } else if (config.contains(role)) {
      add_special(role, config[role], own, tokens);
    }
  }
  return tokens;
}

AddedTokenSplitter::AddedTokenSplitter(std::vector<AddedToken> tokens, bool underline_is_space)
    : tokens_(std::move(tokens)), underline_is_space_(underline_is_space) {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });
  for (const AddedToken& token : tokens_)
    begins_token_[static_cast<unsigned char>(token.text.front())] = true;
}

const AddedToken* AddedTokenSplitter::match(std::string_view text, size_t at, std::string_view plain) const {
  if (!begins_token_[static_cast<unsigned char>(text[at])]) return nullptr;
  for (const AddedToken& token : tokens_) {
    if (token.text != plain && text.substr(at).starts_with(token.text)) return &token;
  }
  return nullptr;
}

std::vector<Stretch> AddedTokenSplitter::split(std::string_view text, std::string_view plain) const {
  std::vector<Stretch> stretches;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = match(text, at, plain);
    if (token == nullptr) {
      ++at;
      continue;
    }
    if (at > begin) stretches.push_back({begin, at, nullptr});
    stretches.push_back({at, at + token->text.size(), token});
    begin = at = at + token->text.size();
  }
  if (begin < text.size()) stretches.push_back({begin, text.size(), nullptr});
  strip_neighbors(text, underline_is_space_, stretches);
  std::erase_if(stretches, [](const Stretch& s) { return s.begin == s.end; });
  return stretches;
}

}  // namespace qslaw
