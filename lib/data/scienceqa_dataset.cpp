// ScienceQA as training conversations, equal to LLaVA's convert_to_llava.
#include "core/error.h"
#include "core/files.h"
#include "core/whitespace.h"
#include "data/conversation_sample.h"
#include "data/scienceqa.h"

namespace qslaw {
namespace {

class ScienceQaDataset : public Dataset {
 public:
  ScienceQaDataset(const DataOptions& options, const EncodingContext& context)
      : options_(options),
        context_(context),
        problems_(read_scienceqa(options.problems, options.splits, options.split, options.images)) {
    if (options.limit > 0 && static_cast<int64_t>(problems_.size()) > options.limit) {
      problems_.resize(static_cast<size_t>(options.limit));
    }
    require(!problems_.empty(), "scienceqa", "expected at least one problem in the split ", options.split,
            " of ", options.splits.string(), ", got none");
    scienceqa_question(problems_.front(), options.prompt_format);  // refuses an unknown format at once
    fingerprint_ =
        sha256(concat("scienceqa ", sha256_file(options.problems), " ", sha256_file(options.splits), " ",
                      options.split, " ", options.prompt_format, " ", options.limit, " ", options.max_length,
                      " ", template_name(context.template_kind), " ", context.tokens_per_picture, " ",
                      static_cast<int>(options.on_long_sample)));
  }

  int64_t size() const override { return static_cast<int64_t>(problems_.size()); }
  std::string fingerprint() const override { return fingerprint_; }

  std::vector<int64_t> modality_lengths() const override {
    std::vector<int64_t> lengths;
    for (const ScienceQaProblem& problem : problems_) {
      int64_t words = 0;
      for (const Turn& turn : turns_of(problem))
        words += count_words(turn.text);
      lengths.push_back(signed_length(words, !problem.picture.empty()));
    }
    return lengths;
  }

  Sample at(int64_t index) const override {
    QSLAW_CHECK(index >= 0 && index < size());
    const ScienceQaProblem& problem = problems_[static_cast<size_t>(index)];
    ConversationSample sample{.id = problem.id, .turns = turns_of(problem), .pictures = {}};
    if (!problem.picture.empty()) sample.pictures.push_back(problem.picture);
    const std::string where = concat(options_.problems.string(), ", sample ", index, " of ", options_.split,
                                     " (id ", problem.id, ")");
    return encode_sample(sample, context_, options_, where);
  }

 private:
  std::vector<Turn> turns_of(const ScienceQaProblem& problem) const {
    std::string question = scienceqa_question(problem, options_.prompt_format);
    if (!problem.picture.empty()) question += "\n<image>";
    return {{Role::human, question}, {Role::assistant, scienceqa_answer(problem, options_.prompt_format)}};
  }

  DataOptions options_;
  EncodingContext context_;
  std::vector<ScienceQaProblem> problems_;
  std::string fingerprint_;
};

}  // namespace

std::unique_ptr<Dataset> make_scienceqa_dataset(const DataOptions& options, const EncodingContext& context) {
  return std::make_unique<ScienceQaDataset>(options, context);
}

}  // namespace qslaw
