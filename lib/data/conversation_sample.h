// From a conversation with its pictures' paths to a checked training sample: what the picture data sets
// share.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace qslaw {

struct ConversationSample {
  std::string id;
  std::vector<Turn> turns;
  std::vector<std::filesystem::path> pictures;
};

/// UserError beginning with `where` unless there are as many placeholders as pictures.
void require_one_image_each(int64_t placeholders, size_t pictures, const std::string& where);

/// As Dataset::modality_lengths counts a sample.
int64_t signed_length(int64_t words, bool has_picture);

/// Encodes by the context's template, checks that pictures exist and that the texts as written hold one
/// "<image>" for each (without pictures it is text, but for the template plain), cuts to max_length and
/// checks that something is left to learn where the context asks for that. With one picture the text is
/// rewritten as LLaVA does ("<image>\n" first); with several, placeholders stay where they are written.
/// UserError beginning with `where`. LongSample where `options` do not cut one that is longer than
/// max_length, or cutting leaves nothing to learn.
Sample encode_sample(const ConversationSample& conversation, const EncodingContext& context,
                     const DataOptions& options, const std::string& where);

}  // namespace qslaw
