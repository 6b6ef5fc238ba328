#include "data/dataset.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace qslaw {

using DatasetMaker = std::unique_ptr<Dataset> (*)(const DataOptions&, const EncodingContext&);

std::unique_ptr<Dataset> make_llava_dataset(const DataOptions& options, const EncodingContext& context);
std::unique_ptr<Dataset> make_text_dataset(const DataOptions& options, const EncodingContext& context);
std::unique_ptr<Dataset> make_scienceqa_dataset(const DataOptions& options, const EncodingContext& context);

namespace {

struct Kind {
  const char* name;
  DatasetMaker make;
};

constexpr std::array<Kind, 3> kKinds = {{
    {"llava", make_llava_dataset},
    {"text", make_text_dataset},
    {"scienceqa", make_scienceqa_dataset},
}};

// Characters of a text that an error message shows of each masked or learned stretch.
constexpr size_t kShownBytes = 60;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// On one line, the middle of a long text left out.
std::string excerpt(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  if (text.size() <= 2 * kShownBytes) return text;
  size_t head = kShownBytes;
  size_t tail = text.size() - kShownBytes;
  while (head > 0 && continues_character(text[head]))
    --head;
  while (tail < text.size() && continues_character(text[tail]))
    ++tail;
  return text.substr(0, head) + " ... " + text.substr(tail);
}

// The sample's stretches: 'masked "text"', 'learned "text"', 'picture'.
std::string describe_mask(const Sample& sample, const Tokenizer& tokenizer) {
  std::vector<std::string> parts;
  for (size_t begin = 0, end; begin < sample.ids.size(); begin = end) {
    end = begin + 1;
    if (sample.ids[begin] == kImagePlaceholder) {
      parts.emplace_back("picture");
      continue;
    }
    const bool masked = sample.labels[begin] == kIgnoreLabel;
    while (end < sample.ids.size() && sample.ids[end] != kImagePlaceholder &&
           (sample.labels[end] == kIgnoreLabel) == masked) {
      ++end;
    }
    const std::vector<int64_t> ids(sample.ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                   sample.ids.begin() + static_cast<std::ptrdiff_t>(end));
    parts.push_back(concat(masked ? "masked" : "learned", " \"", excerpt(tokenizer.decode(ids)), "\""));
  }
  return join(parts);
}

}  // namespace

std::unique_ptr<Dataset> make_dataset(const DataOptions& options, const EncodingContext& context) {
  QSLAW_CHECK(context.tokenizer != nullptr);
  require(options.limit >= 0, "data", "expected limit >= 0, got ", options.limit);
  require(options.max_length >= 2, "data", "expected max_length >= 2, got ", options.max_length);
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) {
    if (options.kind == kind.name) return kind.make(options, context);
    names.emplace_back(kind.name);
  }
  fail("data", "expected one of ", join(names), " as kind, got \"", options.kind, "\"");
}

bool is_skipped(const UserError& problem, BadSamplePolicy on_bad_sample) {
  const auto* too_long = dynamic_cast<const LongSample*>(&problem);
  return too_long ? too_long->is_skipped : on_bad_sample == BadSamplePolicy::skip;
}

int64_t expanded_length(const Sample& sample, int64_t tokens_per_picture) {
  const auto pictures = std::count(sample.ids.begin(), sample.ids.end(), kImagePlaceholder);
  return static_cast<int64_t>(sample.ids.size()) + pictures * (tokens_per_picture - 1);
}

int64_t learned_tokens(const Sample& sample) {
  int64_t count = 0;
  for (size_t i = 1; i < sample.labels.size(); ++i)
    count += sample.labels[i] != kIgnoreLabel && sample.ids[i] != kImagePlaceholder ? 1 : 0;
  return count;
}

void cut_to_length(Sample& sample, int64_t max_length, int64_t tokens_per_picture) {
  const int64_t whole = expanded_length(sample, tokens_per_picture);
  if (whole <= max_length) return;
  sample.cut_from = whole;
  int64_t length = 0;
  size_t kept = 0, pictures = 0;
  for (; kept < sample.ids.size(); ++kept) {
    const bool is_picture = sample.ids[kept] == kImagePlaceholder;
    length += is_picture ? tokens_per_picture : 1;
    if (length > max_length) break;
    pictures += is_picture ? 1 : 0;
  }
  sample.ids.resize(kept);
  sample.labels.resize(kept);
  sample.pictures.resize(std::min(pictures, sample.pictures.size()));
}

void require_supervised(const Sample& sample, const Tokenizer& tokenizer, const std::string& where) {
  if (learned_tokens(sample) > 0) return;
  if (sample.cut_from > 0) {
    throw LongSample(concat("[", where, "] expected at least one token to learn, got none of the ",
                            sample.ids.size(), " that are left of ", sample.cut_from,
                            ", pictures expanded: ", describe_mask(sample, tokenizer)),
                     sample.cut_from, /*is_skipped=*/true);
  }
  fail(where, "expected at least one token to learn, got none of ", sample.ids.size(),
       " (an empty answer?): ", describe_mask(sample, tokenizer));
}

}  // namespace qslaw
