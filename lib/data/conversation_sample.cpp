#include "data/conversation_sample.h"

#include <algorithm>

#include "core/error.h"
#include "data/sample_pictures.h"

namespace qslaw {
namespace {

Encoded encode_at(const ConversationSample& conversation, bool move_image_first, bool image_as_text,
                  const EncodingContext& context, const std::string& where) {
  try {
    return encode_conversation(*context.tokenizer, context.template_kind, conversation.turns,
                               move_image_first, image_as_text);
  } catch (const UserError& problem) {
    fail(where, without_place(problem.what()));
  }
}

// An answer that says nothing is not learned, so that the model is asked behind it; unless there is no other,
// as with the template plain, which learns the line break of an empty caption.
std::vector<Turn> before_answer(const std::vector<Turn>& turns) {
  const auto answer = std::find_if(turns.begin(), turns.end(), [](const Turn& turn) {
    return turn.role == Role::assistant && !turn.text.empty();
  });
  return {turns.begin(), answer == turns.end() ? answer - 1 : answer};
}

bool has_empty_answer(const std::vector<Turn>& turns) {
  return std::any_of(turns.begin(), turns.end(),
                     [](const Turn& turn) { return turn.role == Role::assistant && turn.text.empty(); });
}

void require_picture(const std::filesystem::path& picture, const std::string& where) {
  std::error_code reason;
  const auto status = std::filesystem::status(picture, reason);
  if (std::filesystem::is_regular_file(status)) return;
  fail(where, "expected the picture ", picture.string(), ", got ",
       std::filesystem::is_directory(status)                    ? "a folder"
       : std::filesystem::exists(status)                        ? "no regular file"
       : status.type() == std::filesystem::file_type::not_found ? "no such file"
                                                                : reason.message(),
       missing_folder(picture));
}

void require_fitting(const Sample& sample, const EncodingContext& context, const DataOptions& options) {
  const int64_t length = expanded_length(sample, context.tokens_per_picture);
  if (length <= options.max_length) return;
  throw LongSample(concat("[", sample.where, "] expected at most max_length ", options.max_length,
                          " tokens, pictures expanded, got ", length),
                   length, options.on_long_sample == LongSamplePolicy::skip);
}

}  // namespace

void require_one_image_each(int64_t placeholders, size_t pictures, const std::string& where) {
  require(placeholders == static_cast<int64_t>(pictures), where, "expected one \"<image>\" per picture, got ",
          placeholders, " \"<image>\" and ", pictures, " picture(s)");
}

int64_t signed_length(int64_t words, bool has_picture) {
  return (has_picture ? 1 : -1) * std::max<int64_t>(1, words);
}

Sample encode_sample(const ConversationSample& conversation, const EncodingContext& context,
                     const DataOptions& options, const std::string& where) {
  for (const auto& picture : conversation.pictures)
    require_picture(picture, where);
  const size_t pictures = conversation.pictures.size();
  // As written too: where a sample has one picture LLaVA drops a message's second "<image>". More likely than
  // not a picture is missing then, and the question is about both.
  const int64_t written = count_images(conversation.turns);
  // Text about HTML or prompts, as LLaVA takes it. The template plain is of a picture.
  const bool image_as_text = pictures == 0 && written > 0 && context.template_kind != TemplateKind::plain;
  if (!image_as_text) require_one_image_each(written, pictures, where);
  const bool move_image_first = pictures == 1;
  Encoded encoded = encode_at(conversation, move_image_first, image_as_text, context, where);
  require_one_image_each(std::count(encoded.ids.begin(), encoded.ids.end(), kImagePlaceholder), pictures,
                         where);
  Sample sample{conversation.id,
                std::move(encoded.ids),
                std::move(encoded.labels),
                conversation.pictures,
                before_answer(conversation.turns),
                move_image_first,
                where};
  sample.image_as_text = image_as_text;
  if (options.on_long_sample != LongSamplePolicy::cut) require_fitting(sample, context, options);
  cut_to_length(sample, options.max_length, context.tokens_per_picture);
  if (!context.supervised) return sample;
  require_supervised(sample, *context.tokenizer, where);
  sample.answer_empty = has_empty_answer(conversation.turns);
  return sample;
}

}  // namespace qslaw
