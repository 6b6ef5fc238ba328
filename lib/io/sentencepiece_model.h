// A look into a SentencePiece model file (a protobuf message) before the library reads it: the library takes
// a file cut between two pieces for a whole one, with default settings.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace qslaw {

struct SentencePieceFacts {
  int64_t pieces = 0;
  /// No token reaches over a line's beginning, so that a text cut before a newline keeps its tokens.
  bool lines_are_independent = false;
};

/// UserError naming `file` when the bytes are not a whole SentencePiece model.
SentencePieceFacts inspect_sentencepiece_model(std::string_view bytes, const std::string& file);

/// The same model without the dummy prefix (normalizer_spec.add_dummy_prefix = false).
std::string without_dummy_prefix(std::string model);

}  // namespace qslaw
