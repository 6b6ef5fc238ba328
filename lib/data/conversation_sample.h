// From a conversation with its pictures' paths to a checked training sample: what the picture data sets
// share.
#pragma once
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

/// Encodes by the context's template, checks that pictures exist and have a placeholder each, cuts to
/// `max_length` and checks that something is left to learn. With one picture the text is rewritten as LLaVA
/// does ("<image>\n" first); with several, placeholders stay where they are written. UserError beginning with
/// `where`.
Sample encode_sample(const ConversationSample& conversation, const EncodingContext& context,
                     int64_t max_length, const std::string& where);

}  // namespace qslaw
