// The seam `Dataset`: samples by index, encoded, with the paths of their pictures. Adding a kind: its file
// (`<kind>_dataset.cpp`), a row in make_dataset's table (dataset.cpp), a test.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/conversation.h"
#include "data/options.h"

namespace qslaw {

/// Everything a data set needs to know of the model.
struct EncodingContext {
  const Tokenizer* tokenizer = nullptr;  // not owned; outlives the data set
  TemplateKind template_kind = TemplateKind::vicuna_v1;
  int64_t tokens_per_picture = 576;  // features a picture expands to
  bool supervised = true;            // a sample without a token to learn is bad
};

/// One training sample. Pictures are in the order of the kImagePlaceholder entries of `ids`, one each.
struct Sample {
  std::string id;
  std::vector<int64_t> ids;     // placeholders not yet expanded
  std::vector<int64_t> labels;  // as in Encoded
  std::vector<std::filesystem::path> pictures;
  std::vector<Turn> asked = {};    // the turns before the first answer, as written; empty for plain text
  bool move_image_first = false;   // how the turns were encoded (conversation.h)
  std::string where = {};          // "FILE, sample N (id ID)", for messages; empty for plain text
  std::string picture_bytes = {};  // of a picture that has no file of its own
  int64_t cut_from = 0;            // expanded length of a longer one that was cut; 0: it is whole
  bool turn_left_out = false;      // a first turn that is not the human's, as LLaVA leaves out
  bool answer_empty = false;       // one of several or, with the template plain, the only one
  bool image_as_text = false;      // "<image>" in the texts of a sample without a picture
  bool is_text() const { return pictures.empty(); }
};

/// A sample longer than its data set's max_length that is not to be cut, or of which cutting leaves nothing
/// to learn.
class LongSample : public UserError {
 public:
  LongSample(const std::string& message, int64_t length, bool is_skipped)
      : UserError(message), length(length), is_skipped(is_skipped) {}
  int64_t length;   // tokens, pictures expanded
  bool is_skipped;  // on_long_sample: skip, or cut; else it is an error, whatever becomes of bad samples
};

/// Whether whoever reads samples passes over one that cannot be used: a long one as its data set says, any
/// other as `on_bad_sample` does.
bool is_skipped(const UserError& problem, BadSamplePolicy on_bad_sample);

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// Thread safe. UserError names file, index, id and reason when the sample is bad: unknown role order, no
  /// supervised token (the mask is shown; unless the context asks for none), placeholder and picture counts
  /// that differ, a picture that does not exist. LongSample for one that is longer than max_length, unless
  /// those are cut and something to learn is left.
  virtual Sample at(int64_t index) const = 0;
  /// Hash of what the samples are made from (file content, options), for `--resume`.
  virtual std::string fingerprint() const = 0;
  /// Of each sample the number of words in its conversation (at least 1), negative where it has no picture:
  /// what LLaVA groups by. Bad samples count as well. Empty for kinds without conversations.
  virtual std::vector<int64_t> modality_lengths() const { return {}; }
};

/// UserError for an unknown kind or unreadable file.
std::unique_ptr<Dataset> make_dataset(const DataOptions& options, const EncodingContext& context);

/// Tokens with each placeholder as tokens_per_picture.
int64_t expanded_length(const Sample& sample, int64_t tokens_per_picture);

/// Labels that a loss counts: no picture's, and not the first, which no token before it predicts.
int64_t learned_tokens(const Sample& sample);

/// Cuts a sample whose expanded length exceeds `max_length`, never inside a picture's tokens: a picture that
/// does not fit is cut off whole, with all that follows. Notes the length before.
void cut_to_length(Sample& sample, int64_t max_length, int64_t tokens_per_picture);

/// UserError showing the mask unless at least one label can be learned. A LongSample, which is skipped, where
/// the sample was cut in front of its first answer: no fault of the file's, and other long samples are used.
void require_supervised(const Sample& sample, const Tokenizer& tokenizer, const std::string& where);

}  // namespace qslaw
