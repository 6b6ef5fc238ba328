// Oracle: LLaVA's prompt, splice and mask rules restated in scripts/fixtures/make_conversation_fixtures.py.
#include "data/conversation.h"

#include "core/random.h"
#include "core/whitespace.h"
#include "data_files.h"

using namespace qslaw;
using data_files::error_of;
using data_files::turns_of;
using Ids = std::vector<int64_t>;

namespace {

Tokenizer load_not_legacy() {
  const data_files::Folder folder;
  for (const char* name : {"tokenizer.model", "added_tokens.json"}) {
    std::filesystem::copy_file(data_files::fixture("tokenizer") / name, folder.path() / name);
  }
  folder.write("tokenizer_config.json", R"({"legacy": false})");
  return Tokenizer::load(folder.path());
}

Ids labels_of(const nlohmann::json& row) {
  const Ids ids = row["ids"];
  Ids labels(ids.size(), kIgnoreLabel);
  for (const auto& run : row["learned"]) {
    for (size_t i = run[0]; i < run[1].get<size_t>(); ++i)
      labels[i] = ids[i];
  }
  return labels;
}

// The text of the tokens that are (or are not) learned.
std::string text_where(const Encoded& encoded, bool learned) {
  Ids ids;
  for (size_t i = 0; i < encoded.ids.size(); ++i) {
    if ((encoded.labels[i] != kIgnoreLabel) == learned) ids.push_back(encoded.ids[i]);
  }
  return data_files::tokenizer().decode(ids);
}

}  // namespace

TEST_CASE("conversation: ids and masks of LLaVA's rules") {
  const Tokenizer not_legacy = load_not_legacy();
  size_t count = 0, beyond_llava = 0;
  for (const auto& row : data_files::rows_of("conversations.jsonl")) {
    INFO(row["template"] << " " << row["turns"] << " legacy " << row["legacy"]);
    const auto& tokenizer = row["legacy"].get<bool>() ? data_files::tokenizer() : not_legacy;
    const auto encoded = encode_conversation(tokenizer, parse_template(row["template"]),
                                             turns_of(row["turns"]), row["move_image_first"].get<bool>());
    CHECK(encoded.ids == row["ids"].get<Ids>());
    CHECK(encoded.labels == labels_of(row));
    ++count;
    beyond_llava += row["llava_masks_all"].get<bool>() ? 1 : 0;
  }
  CHECK(count >= 220);
  CHECK(beyond_llava > 10);
}

TEST_CASE("conversation: open prompts as text and ids") {
  for (const auto& row : data_files::rows_of("prompts.jsonl")) {
    INFO(row["template"] << " " << row["turns"]);
    const auto kind = parse_template(row["template"]);
    const auto turns = turns_of(row["turns"]);
    const bool move = row["move_image_first"].get<bool>();
    CHECK(prompt_text(kind, turns, move) == row["prompt"].get<std::string>());
    CHECK(encode_prompt(data_files::tokenizer(), kind, turns, move) == row["ids"].get<Ids>());
  }
}

TEST_CASE("conversation: a finished conversation begins with its prompt, and the prompt is never learned") {
  for (const auto& row : data_files::rows_of("conversations.jsonl")) {
    auto turns = turns_of(row["turns"]);
    const bool one_round = turns.size() == 2 && row["legacy"].get<bool>() && !turns[1].text.empty();
    if (!one_round || turns[1].text.find("<image>") != std::string::npos) continue;
    const auto kind = parse_template(row["template"]);
    const bool move = row["move_image_first"].get<bool>();
    const auto whole = encode_conversation(data_files::tokenizer(), kind, turns, move);
    turns.pop_back();
    const Ids prompt = encode_prompt(data_files::tokenizer(), kind, turns, move);
    INFO(row["turns"]);
    REQUIRE(whole.ids.size() > prompt.size());
    CHECK(Ids(whole.ids.begin(), whole.ids.begin() + static_cast<long>(prompt.size())) == prompt);
    CHECK(std::all_of(whole.labels.begin(), whole.labels.begin() + static_cast<long>(prompt.size()),
                      [](int64_t label) { return label == kIgnoreLabel; }));
    CHECK(Ids(whole.labels.begin() + static_cast<long>(prompt.size()), whole.labels.end()) ==
          Ids(whole.ids.begin() + static_cast<long>(prompt.size()), whole.ids.end()));
  }
}

TEST_CASE("conversation: the human's words are never learned, the assistant's always are") {
  // Human text of digits and end tokens, assistant text of letters: what is learned decodes to letters only.
  Random random(3);
  const auto words = [&](const std::vector<std::string>& from) {
    std::string text = from[random.below(from.size() - 1)];
    for (uint64_t i = random.below(6); i > 0; --i)
      text += from[random.below(from.size())];
    return text;
  };
  for (int repeat = 0; repeat < 300; ++repeat) {
    std::vector<Turn> turns;
    std::string said;
    for (uint64_t i = random.below(4) + 1; i > 0; --i) {
      turns.push_back({Role::human, words({"1", "23", " 4", "\n5", "\u0666", "</s>"})});
      turns.push_back({Role::assistant, words({"cat", " dog", "\n", "é", "猫", "👍", "</s>"})});
      for (const char c : turns.back().text)
        said += c == ' ' || c == '\n' ? "" : std::string(1, c);
    }
    for (size_t at; (at = said.find("</s>")) != said.npos;)
      said.erase(at, 4);
    const auto kind = repeat % 2 == 0 ? TemplateKind::vicuna_v1 : TemplateKind::llama_2;
    const auto encoded = encode_conversation(data_files::tokenizer(), kind, turns, false);
    std::string learned = text_where(encoded, true);
    std::erase_if(learned, [](char c) { return c == ' ' || c == '\n'; });
    INFO(prompt_text(kind, {turns[0]}, false));
    CHECK(learned == said);
    CHECK(text_where(encoded, false).find("cat") == std::string::npos);
  }
}

TEST_CASE("conversation: what cannot be encoded is refused") {
  const auto& tokenizer = data_files::tokenizer();
  const auto encode = [&](TemplateKind kind, const std::vector<Turn>& turns) {
    return error_of([&] { encode_conversation(tokenizer, kind, turns, false); });
  };
  const Turn human{Role::human, "Q"}, assistant{Role::assistant, "A"};
  using Catch::Contains;
  CHECK_THAT(encode(TemplateKind::vicuna_v1, {}), Contains("got an empty conversation"));
  CHECK_THAT(encode(TemplateKind::vicuna_v1, {assistant, human}),
             Contains("the human to speak in turn 1 of 2"));
  CHECK_THAT(encode(TemplateKind::llama_2, {human, assistant, assistant}),
             Contains("the human to speak in turn 3 of 3, got the assistant"));
  CHECK_THAT(encode(TemplateKind::llava_v1, {human, human}), Contains("the assistant to speak in turn 2"));
  CHECK_THAT(encode(TemplateKind::llama_2, {{Role::human, ""}, assistant}), Contains("first message"));
  CHECK_THAT(encode(TemplateKind::plain, {human, assistant}), Contains("expected \"<image>\""));
  CHECK_THAT(encode(TemplateKind::plain, {{Role::human, "<image>"}}), Contains("expected 2 turn(s)"));
  CHECK_THAT(error_of([&] {
               encode_prompt(tokenizer, TemplateKind::vicuna_v1, {human, assistant}, false);
             }),
             Contains("ends with the human's turn"));
  CHECK_THAT(error_of([] { prompt_text(TemplateKind::vicuna_v1, {}, false); }),
             Contains("empty conversation"));
}

TEST_CASE("conversation: template names") {
  for (const char* name : {"vicuna_v1", "llava_v1", "plain", "llama_2"}) {
    CHECK(template_name(parse_template(name)) == name);
  }
  CHECK_THAT(error_of([] { parse_template("vicuna"); }),
             Catch::Contains("expected one of vicuna_v1, llava_v1, plain, llama_2, got \"vicuna\""));
}

TEST_CASE("whitespace: strips what Python's str.strip strips") {
  // Every code point for which Python 3.11's str.isspace() is true.
  const std::string spaces =
      "\t\n\v\f\r\x1c\x1d\x1e\x1f "
      "\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
      "\u2028\u2029\u202f\u205f\u3000";
  CHECK(strip(spaces + "a b" + spaces) == "a b");
  CHECK(strip_left(spaces + "x ") == "x ");
  CHECK(strip_right(" x" + spaces) == " x");
  CHECK(strip(spaces).empty());
  CHECK(strip("\u200b\ufeff") == "\u200b\ufeff");  // zero width: not white space
}
