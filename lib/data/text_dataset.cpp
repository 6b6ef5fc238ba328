// Running text in windows.
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset.h"
#include "data/text_file.h"
#include "data/text_windows.h"

namespace qslaw {
namespace {

class TextDataset : public Dataset {
 public:
  TextDataset(const DataOptions& options, const EncodingContext& context) {
    const std::string join = options.join.value_or(default_join(options.path));
    const std::string text = read_text(options.path, join);
    const std::vector<int64_t> ids = context.tokenizer->encode(text);
    require(!ids.empty(), "data", "expected text in ", options.path.string(), ", got none");
    QSLAW_CHECK(context.tokenizer->highest().second <= std::numeric_limits<int32_t>::max());
    stream_.push_back(static_cast<int32_t>(context.tokenizer->bos_id()));
    stream_.insert(stream_.end(), ids.begin(), ids.end());
    windows_ = text_windows(options.windows, static_cast<int64_t>(stream_.size()), options.max_length,
                            options.stride, options.path.string());
    if (options.limit > 0 && options.limit < size()) windows_.resize(static_cast<size_t>(options.limit));
    fingerprint_ = sha256(concat("text ", sha256(text), " ", options.limit, " ", options.max_length, " ",
                                 options.windows, " ", options.stride));
  }

  int64_t size() const override { return static_cast<int64_t>(windows_.size()); }
  std::string fingerprint() const override { return fingerprint_; }

  Sample at(int64_t index) const override {
    QSLAW_CHECK(index >= 0 && index < size());
    const TextWindow& window = windows_[static_cast<size_t>(index)];
    Sample sample{.id = std::to_string(index), .ids = {}, .labels = {}, .pictures = {}};
    sample.ids.assign(stream_.begin() + window.begin, stream_.begin() + window.end);
    if (window.starts_as_bos) sample.ids.front() = stream_.front();
    sample.labels = sample.ids;
    std::fill_n(sample.labels.begin(), window.counted - window.begin, kIgnoreLabel);
    return sample;
  }

 private:
  std::vector<int32_t> stream_;  // BOS first
  std::vector<TextWindow> windows_;
  std::string fingerprint_;
};

}  // namespace

std::unique_ptr<Dataset> make_text_dataset(const DataOptions& options, const EncodingContext& context) {
  return std::make_unique<TextDataset>(options, context);
}

}  // namespace qslaw
