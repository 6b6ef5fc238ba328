#include "eval/question_prompt.h"

#include <ATen/ATen.h>

#include "core/text.h"
#include "data/conversation_sample.h"
#include "data/sample_pictures.h"
#include "eval/base64.h"

namespace qslaw {
namespace {

std::string where(const BenchmarkQuestion& question) {
  return concat(question.file.string(), ", question ", question.id);
}

}  // namespace

std::vector<Turn> question_turns(const BenchmarkQuestion& question) {
  return {{Role::human, "<image>\n" + question.text}};
}

Sample question_sample(const BenchmarkQuestion& question, const Tokenizer& tokenizer, TemplateKind kind) {
  const std::vector<Turn> turns = question_turns(question);
  require_one_image_each(count_images(turns), 1, where(question));
  Sample sample;
  sample.id = question.id;
  sample.where = where(question);
  sample.ids = encode_prompt(tokenizer, kind, turns, /*move_image_first=*/false);
  sample.labels.assign(sample.ids.size(), kIgnoreLabel);
  if (question.picture_base64) {
    sample.picture_bytes = decode_base64(*question.picture_base64, where(question));
    check_image_header(sample.picture_bytes, where(question));
  } else {
    sample.pictures.push_back(question.picture);
  }
  return sample;
}

LoadedSample load_question(const BenchmarkQuestion& question, const Tokenizer& tokenizer, TemplateKind kind,
                           const ImageTransform& transform) {
  LoadedSample loaded;
  loaded.sample = question_sample(question, tokenizer, kind);
  decode_pictures(loaded, transform);
  return loaded;
}

}  // namespace qslaw
