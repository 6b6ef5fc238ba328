#include "data/sample_store.h"

#include "core/error.h"

namespace qslaw {
namespace {

// A record's second text says what its other texts are, one letter each.
constexpr char kPicture = 'p', kHuman = 'h', kAssistant = 'a', kProblem = '!';

}  // namespace

void SampleStore::add_text(const std::string& text) {
  bytes_ += text;
  ends_.push_back(bytes_.size());
}

std::string SampleStore::text_at(size_t number) const {
  const uint64_t begin = number == 0 ? 0 : ends_[number - 1];
  return bytes_.substr(begin, ends_[number] - begin);
}

void SampleStore::add(const StoredSample& sample) {
  records_.push_back({ends_.size(), sample.line});
  add_text(sample.id);
  if (!sample.problem.empty()) {
    ++bad_;
    add_text({kProblem});
    add_text(sample.problem);
    return;
  }
  std::string letters(sample.pictures.size(), kPicture);
  for (const Turn& turn : sample.turns)
    letters += turn.role == Role::human ? kHuman : kAssistant;
  add_text(letters);
  for (const std::string& name : sample.pictures)
    add_text(name);
  for (const Turn& turn : sample.turns)
    add_text(turn.text);
}

StoredSample SampleStore::at(int64_t index) const {
  QSLAW_CHECK(index >= 0 && index < size());
  const Record& record = records_[static_cast<size_t>(index)];
  StoredSample sample;
  sample.id = text_at(record.first_text);
  sample.line = record.line;
  size_t number = record.first_text + 2;
  for (const char letter : text_at(record.first_text + 1)) {
    std::string text = text_at(number++);
    switch (letter) {
      case kPicture:
        sample.pictures.push_back(std::move(text));
        break;
      case kHuman:
        sample.turns.push_back({Role::human, std::move(text)});
        break;
      case kAssistant:
        sample.turns.push_back({Role::assistant, std::move(text)});
        break;
      case kProblem:
        sample.problem = std::move(text);
        break;
      default:
        QSLAW_CHECK(false);
    }
  }
  return sample;
}

}  // namespace qslaw
