// Conversations to token ids and label masks, by LLaVA's templates (llava/conversation.py,
// llava/train/train.py).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/tokenizer.h"

namespace qslaw {

/// Stands in the ids where a picture goes; expanded to the picture's features later (LLaVA's
/// IMAGE_TOKEN_INDEX).
inline constexpr int64_t kImagePlaceholder = -200;
/// Label of a token that is not learned (PyTorch's ignore_index).
inline constexpr int64_t kIgnoreLabel = -100;

enum class Role { human, assistant };

struct Turn {
  Role role = Role::human;
  std::string text;  // a human text may hold "<image>"
};

/// How often the turns' texts hold "<image>".
int64_t count_images(const std::vector<Turn>& turns);

enum class TemplateKind { vicuna_v1, llava_v1, plain, llama_2 };

/// UserError listing the known names.
TemplateKind parse_template(const std::string& name);
std::string template_name(TemplateKind kind);

/// ids and labels have one entry per token; labels[i] is ids[i] or kIgnoreLabel (the shift by one is the
/// loss's job).
struct Encoded {
  std::vector<int64_t> ids;
  std::vector<int64_t> labels;
};

/// A finished conversation for training, BOS first. Labels keep the assistant's text and its end token only.
/// Texts holding "<image>" get LLaVA's rewriting ("<image>\n" first) when `move_image_first`, which is what
/// LLaVA does to picture samples; otherwise placeholders stay where they are written. With
/// `image_as_text` "<image>" is text like any other, as LLaVA takes it where a sample has no picture.
/// UserError for an empty conversation, roles out of order, or a first turn that is not the human's.
Encoded encode_conversation(const Tokenizer& tokenizer, TemplateKind kind, const std::vector<Turn>& turns,
                            bool move_image_first, bool image_as_text = false);

/// The prompt of an open conversation, up to and including "ASSISTANT:", BOS first. `turns` ends with a human
/// turn.
std::vector<int64_t> encode_prompt(const Tokenizer& tokenizer, TemplateKind kind,
                                   const std::vector<Turn>& turns, bool move_image_first);

/// The same prompt as text, for logs and predictions files.
std::string prompt_text(TemplateKind kind, const std::vector<Turn>& turns, bool move_image_first);

}  // namespace qslaw
