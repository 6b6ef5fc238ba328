#include "data/fast_json.h"

#include <simdjson.h>

#include "core/whitespace.h"

namespace qslaw {
namespace {

using simdjson::dom::element;

constexpr size_t kFirstCapacity = size_t{1} << 16;  // bytes; it grows
constexpr size_t kMostLevels = 60;                  // fewer than parse_json's, which the other library counts

// A value that is not there, or of another kind, counts as none: errors of simdjson go through to the end.
int64_t words_of(const element& sample) {
  int64_t words = 0;
  simdjson::dom::array turns;
  if (sample["conversations"].get(turns) != simdjson::SUCCESS) return 0;
  for (const element turn : turns) {
    std::string_view text;
    if (turn["value"].get(text) == simdjson::SUCCESS) words += count_words(text);
  }
  return words;
}

bool has_picture(const element& sample) {
  element image;
  if (sample["image"].get(image) != simdjson::SUCCESS || image.is_null()) return false;
  simdjson::dom::array list;
  return image.get(list) != simdjson::SUCCESS || list.size() > 0;
}

}  // namespace

struct FastJson::Parser {
  simdjson::dom::parser parser;
};

FastJson::FastJson() : parser_(std::make_unique<Parser>()) {
  // Where it fails every text is refused here, and read by the other library.
  [[maybe_unused]] const auto done = parser_->parser.allocate(kFirstCapacity, kMostLevels);
}

FastJson::~FastJson() = default;

bool FastJson::accepts(std::string_view text) {
  return parser_->parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

std::optional<size_t> FastJson::id_hash() const {
  const auto id = parser_->parser.doc.root()["id"];
  std::string_view text;
  int64_t number = 0;
  if (id.get(text) == simdjson::SUCCESS && !text.empty()) return std::hash<std::string_view>{}(text);
  if (id.get(number) == simdjson::SUCCESS) return std::hash<std::string>{}(std::to_string(number));
  return std::nullopt;
}

std::optional<SampleSize> FastJson::sample_size(std::string_view text) {
  element sample;
  if (parser_->parser.parse(text.data(), text.size()).get(sample) != simdjson::SUCCESS) return std::nullopt;
  return SampleSize{words_of(sample), has_picture(sample)};
}

}  // namespace qslaw
