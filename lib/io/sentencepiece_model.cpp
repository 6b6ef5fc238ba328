#include "io/sentencepiece_model.h"

#include <optional>

#include "core/error.h"

namespace qslaw {
namespace {

// Field numbers of sentencepiece_model.proto.
constexpr uint64_t kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3;
constexpr uint64_t kPieceText = 1;
constexpr uint64_t kModelType = 3, kTypeBpe = 2, kWhitespaceAsSuffix = 24;
constexpr uint64_t kCharsMap = 2, kRemoveExtraWhitespaces = 4;

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;      // of a varint
  std::string_view bytes;  // of a string or message
};

// Reads one field after the other (protobuf's wire format); `failed` when the bytes end inside one.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}
  bool failed() const { return failed_; }

  std::optional<Field> next() {
    if (rest_.empty() || failed_) return {};
    const uint64_t tag = varint();
    Field field{.number = tag >> 3, .value = 0, .bytes = {}};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        failed_ = true;
    }
    if (failed_ || field.number == 0) {
      failed_ = true;
      return {};
    }
    return field;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = take(1);
      if (failed_) return 0;
      value |= static_cast<uint64_t>(byte[0] & 0x7f) << shift;
      if ((byte[0] & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// The last value of a varint field, as protobuf takes it.
uint64_t varint_field(std::string_view message, uint64_t number, uint64_t otherwise) {
  FieldReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number == number) otherwise = field->value;
  }
  return otherwise;
}

std::string_view bytes_field(std::string_view message, uint64_t number) {
  FieldReader reader(message);
  std::string_view found;
  while (const auto field = reader.next()) {
    if (field->number == number) found = field->bytes;
  }
  return found;
}

}  // namespace

SentencePieceFacts inspect_sentencepiece_model(std::string_view bytes, const std::string& file) {
  SentencePieceFacts facts;
  std::optional<std::string_view> trainer, normalizer;
  bool newline_in_piece = false;
  FieldReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == kTrainerSpec) trainer = field->bytes;
    if (field->number == kNormalizerSpec) normalizer = field->bytes;
    if (field->number != kPieces) continue;
    const auto text = bytes_field(field->bytes, kPieceText);
    newline_in_piece = newline_in_piece || (text.size() > 1 && text.find('\n') != text.npos);
    ++facts.pieces;
  }
  require(!reader.failed() && facts.pieces > 0 && trainer && normalizer, "tokenizer",
          "expected a whole SentencePiece model in ", file, ", got a damaged or cut file of ", bytes.size(),
          " bytes");
  facts.lines_are_independent = !newline_in_piece && varint_field(*trainer, kModelType, 1) == kTypeBpe &&
                                varint_field(*trainer, kWhitespaceAsSuffix, 0) == 0 &&
                                varint_field(*normalizer, kRemoveExtraWhitespaces, 1) == 0 &&
                                bytes_field(*normalizer, kCharsMap).empty();
  return facts;
}

std::string without_dummy_prefix(std::string model) {
  // A second normalizer_spec {add_dummy_prefix: false}: protobuf merges a message field that comes twice.
  return std::move(model) + std::string("\x1a\x02\x18\x00", 4);
}

}  // namespace qslaw
