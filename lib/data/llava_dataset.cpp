// LLaVA's instruction files: a JSON array of samples, or one JSON object per line.
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "core/log.h"
#include "core/whitespace.h"
#include "data/conversation_sample.h"
#include "data/fast_json.h"
#include "data/instruction_file.h"
#include "data/llava_sample.h"

namespace qslaw {
namespace {

SampleSize size_of(const LlavaSample& sample) {
  SampleSize size{.words = 0, .has_picture = !sample.pictures.empty()};
  for (const Turn& turn : sample.turns)
    size.words += count_words(turn.text);
  return size;
}

class LlavaDataset : public Dataset {
 public:
  LlavaDataset(const DataOptions& options, const EncodingContext& context)
      : options_(options), context_(context), file_(options.path, options.limit) {
    require_some_sound();
    warn_of_repeated_ids();
    fingerprint_ = sha256(concat("llava ", sha256_file(options.path), " ", options.limit, " ",
                                 options.max_length, " ", template_name(context.template_kind), " ",
                                 context.tokens_per_picture, " ", static_cast<int>(options.on_long_sample)));
  }

  int64_t size() const override { return file_.size(); }
  std::string fingerprint() const override { return fingerprint_; }

  std::vector<int64_t> modality_lengths() const override {
    FastJson json;
    std::vector<int64_t> lengths;
    lengths.reserve(static_cast<size_t>(size()));
    for (int64_t i = 0; i < size(); ++i) {
      const auto fast = json.sample_size(file_.read(i));
      const SampleSize found = fast ? *fast : size_of(read_sample(i));
      lengths.push_back(signed_length(found.words, found.has_picture));
    }
    return lengths;
  }

  Sample at(int64_t index) const override {
    LlavaSample read = read_sample(index);
    const std::string where = place(index, read.id);
    require(read.problem.empty(), where, read.problem);
    const size_t written = read.turns.size();
    ConversationSample conversation{
        .id = read.id,
        .turns = from_the_human_on(std::move(read.turns), context_.supervised, where),
        .pictures = {}};
    for (const std::string& name : read.pictures)
      conversation.pictures.push_back(options_.images / name);
    Sample sample = encode_sample(conversation, context_, options_, where);
    sample.turn_left_out = conversation.turns.size() < written;
    return sample;
  }

 private:
  LlavaSample read_sample(int64_t index) const {
    const auto json = parse_json(file_.read(index), "data", options_.path.string(), file_.line(index));
    return read_llava_sample(json, std::to_string(index));
  }

  // All bad: another format, not a few bad rows.
  void require_some_sound() const {
    const LlavaSample first = read_sample(0);
    bool sound = first.problem.empty();
    for (int64_t i = 1; !sound && i < size(); ++i)
      sound = read_sample(i).problem.empty();
    if (!sound) fail(place(0, first.id), first.problem);
  }

  // No error: ids are not unique in some published files.
  void warn_of_repeated_ids() const {
    const RepeatedIds& repeated = file_.repeated_ids();
    if (repeated.count == 0) return;
    const std::string where = place(repeated.first, read_sample(repeated.first).id);
    log_warning_once(concat("[data] ", repeated.count, " of ", size(),
                            " samples have the id of one before them, ", "first: [", where,
                            "] that of sample ", repeated.as));
  }

  std::string place(int64_t index, const std::string& id) const {
    const size_t line = file_.line(index);
    return concat(options_.path.string(), ", sample ", index, line > 0 ? concat(", line ", line) : "",
                  " (id ", id, ")");
  }

  DataOptions options_;
  EncodingContext context_;
  InstructionFile file_;
  std::string fingerprint_;
};

}  // namespace

std::unique_ptr<Dataset> make_llava_dataset(const DataOptions& options, const EncodingContext& context) {
  return std::make_unique<LlavaDataset>(options, context);
}

}  // namespace qslaw
