#include "data/conversation.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/whitespace.h"

namespace qslaw {
namespace {

constexpr std::string_view kImageText = "<image>";

struct Template {
  TemplateKind kind;
  const char* name;
  const char* system;
};

// System prompts of llava/conversation.py: conv_vicuna_v1, conv_llava_v1, conv_llava_plain, conv_llama_2 (the
// LLaMA-2 chat default, not conv_llava_llama_2's).
constexpr std::array<Template, 4> kTemplates = {{
    {TemplateKind::vicuna_v1, "vicuna_v1",
     "A chat between a curious user and an artificial intelligence assistant. "
     "The assistant gives helpful, detailed, and polite answers to the user's questions."},
    {TemplateKind::llava_v1, "llava_v1",
     "A chat between a curious human and an artificial intelligence assistant. "
     "The assistant gives helpful, detailed, and polite answers to the human's questions."},
    {TemplateKind::plain, "plain", ""},
    {TemplateKind::llama_2, "llama_2",
     "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while "
     "being safe.  "
     "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal "
     "content. "
     "Please ensure that your responses are socially unbiased and positive in nature.\n\n"
     "If a question does not make any sense, or is not factually coherent, explain why instead of answering "
     "something "
     "not correct. If you don't know the answer to a question, please don't share false information."},
}};

const Template& template_of(TemplateKind kind) {
  const auto found =
      std::find_if(kTemplates.begin(), kTemplates.end(), [&](const Template& t) { return t.kind == kind; });
  QSLAW_CHECK(found != kTemplates.end());
  return *found;
}

// A whole prompt and the bytes [begin, end) of it that are learned, in order.
struct Prompt {
  struct Range {
    size_t begin, end;
  };
  std::string text;
  std::vector<Range> learned;

  void add(std::string_view part) { text += part; }
  void add_learned(std::string_view part) {
    learned.push_back({text.size(), text.size() + part.size()});
    text += part;
  }
};

// LLaVA's preprocess_multimodal: one picture, a newline, then the rest of the text, stripped.
std::string with_image_first(const std::string& text) {
  if (text.find(kImageText) == text.npos) return text;
  std::string rest;
  size_t begin = 0;
  for (size_t at; (at = text.find(kImageText, begin)) != text.npos; begin = at + kImageText.size()) {
    rest.append(text, begin, at - begin);
  }
  rest.append(text, begin);
  return std::string(strip(concat(kImageText, "\n", strip(rest))));
}

std::vector<Turn> prepare(std::vector<Turn> turns, bool move_image_first) {
  if (move_image_first) {
    for (Turn& turn : turns)
      turn.text = with_image_first(turn.text);
  }
  return turns;
}

void check_order(const std::vector<Turn>& turns) {
  require(!turns.empty(), "conversation", "expected at least one turn, got an empty conversation");
  for (size_t i = 0; i < turns.size(); ++i) {
    const bool human = turns[i].role == Role::human;
    require(human == (i % 2 == 0), "conversation", "expected ", i % 2 == 0 ? "the human" : "the assistant",
            " to speak in turn ", i + 1, " of ", turns.size(), ", got ",
            human ? "the human" : "the assistant");
  }
}

// SeparatorStyle.TWO. An empty message leaves "USER:" or "ASSISTANT:" without a separator, as LLaVA does.
Prompt two_separators(const std::string& system, const std::vector<Turn>& turns, bool open) {
  Prompt prompt;
  prompt.add(system + " ");
  for (const Turn& turn : turns) {
    prompt.add(turn.role == Role::human ? "USER:" : "ASSISTANT:");
    if (turn.text.empty()) continue;
    if (turn.role == Role::human) {
      prompt.add(" " + turn.text + " ");
    } else {
      // LLaVA masks len(tokens("... ASSISTANT: ")) - 2 tokens, so the space before the answer is learned with
      // it.
      prompt.add_learned(" " + turn.text + "</s>");
    }
  }
  if (open) prompt.add("ASSISTANT:");
  return prompt;
}

// SeparatorStyle.LLAMA_2. Empty messages leave no trace; the first one must not be empty.
Prompt llama_2(const std::string& system, const std::vector<Turn>& turns) {
  require(!turns.front().text.empty(), "conversation",
          "expected a first message that is not empty (template llama_2)");
  Prompt prompt;
  for (size_t i = 0; i < turns.size(); ++i) {
    const std::string& text = turns[i].text;
    if (text.empty()) continue;
    if (turns[i].role == Role::assistant) {
      prompt.add_learned(" " + text + " </s>");
    } else if (i == 0) {  // LLaVA strips the leading "<s>"; BOS takes its place
      prompt.add("[INST] <<SYS>>\n" + system + "\n<</SYS>>\n\n" + text + " [/INST]");
    } else {
      prompt.add("<s>[INST] " + text + " [/INST]");
    }
  }
  return prompt;
}

// A picture and its caption; the question is only looked at for its "<image>".
Prompt plain(const std::vector<Turn>& turns, bool open) {
  const size_t wanted = open ? 1 : 2;
  require(turns.size() == wanted, "conversation", "expected ", wanted,
          " turn(s) for the template plain, got ", turns.size());
  require(turns[0].text.find(kImageText) != std::string::npos, "conversation",
          "expected \"<image>\" in the human's turn for the template plain, got none");
  Prompt prompt;
  prompt.add(kImageText);
  if (!open) prompt.add_learned(turns[1].text + "\n");
  return prompt;
}

Prompt build(TemplateKind kind, const std::vector<Turn>& written, bool move_image_first, bool open) {
  check_order(written);
  require(!open || written.back().role == Role::human, "conversation",
          "expected a prompt that ends with the human's turn, got the assistant's");
  const std::vector<Turn> turns = prepare(written, move_image_first);
  const std::string system = template_of(kind).system;
  if (kind == TemplateKind::plain) return plain(turns, open);
  if (kind == TemplateKind::llama_2) return llama_2(system, turns);
  return two_separators(system, turns, open);
}

// Whether the token lies in a learned range as a whole: one that reached into the human's text would not be
// learned. Tokens without bytes (dummy prefix, inner bytes of a character) belong where they begin.
bool is_learned(const Prompt& prompt, size_t begin, size_t end) {
  for (const auto& range : prompt.learned) {
    if (begin < range.end) return begin >= range.begin && end <= range.end;
  }
  return false;
}

// LLaVA's tokenizer_image_token: the stretches between pictures are tokenized on their own, with one BOS in
// all. With `image_as_text` its tokenizer call for samples without pictures: one stretch, in which "<image>"
// is no token either, whatever this folder's tokenizer has added.
Encoded encode(const Tokenizer& tokenizer, const Prompt& prompt, bool image_as_text = false) {
  Encoded out{.ids = {tokenizer.bos_id()}, .labels = {kIgnoreLabel}};
  const std::string_view text = prompt.text;
  const std::string_view plain = image_as_text ? kImageText : std::string_view();
  for (size_t begin = 0;;) {
    const size_t end = image_as_text ? text.size() : std::min(text.find(kImageText, begin), text.size());
    for (const TokenSpan& token : tokenizer.encode_with_spans(text.substr(begin, end - begin), plain)) {
      out.ids.push_back(token.id);
      out.labels.push_back(is_learned(prompt, begin + token.begin, begin + token.end) ? token.id
                                                                                      : kIgnoreLabel);
    }
    if (end == text.size()) return out;
    out.ids.push_back(kImagePlaceholder);
    out.labels.push_back(kIgnoreLabel);
    begin = end + kImageText.size();
  }
}

}  // namespace

int64_t count_images(const std::vector<Turn>& turns) {
  int64_t count = 0;
  for (const Turn& turn : turns) {
    for (size_t at = 0; (at = turn.text.find(kImageText, at)) != turn.text.npos; at += kImageText.size())
      ++count;
  }
  return count;
}

TemplateKind parse_template(const std::string& name) {
  std::vector<std::string> names;
  for (const Template& known : kTemplates) {
    if (name == known.name) return known.kind;
    names.emplace_back(known.name);
  }
  fail("template", "expected one of ", join(names), ", got \"", name, "\"");
}

std::string template_name(TemplateKind kind) {
  return template_of(kind).name;
}

Encoded encode_conversation(const Tokenizer& tokenizer, TemplateKind kind, const std::vector<Turn>& turns,
                            bool move_image_first, bool image_as_text) {
  return encode(tokenizer, build(kind, turns, move_image_first, false), image_as_text);
}

std::vector<int64_t> encode_prompt(const Tokenizer& tokenizer, TemplateKind kind,
                                   const std::vector<Turn>& turns, bool move_image_first) {
  return encode(tokenizer, build(kind, turns, move_image_first, true)).ids;
}

std::string prompt_text(TemplateKind kind, const std::vector<Turn>& turns, bool move_image_first) {
  return build(kind, turns, move_image_first, true).text;
}

}  // namespace qslaw
