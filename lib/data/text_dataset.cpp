// Running text in blocks of equal length: a plain file is one stream; of a .jsonl file, the documents in
// "text".
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "data/dataset.h"
#include "data/text_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// The documents joined by an empty line.
std::string join_documents(const std::string& text, const fs::path& file) {
  std::string stream;
  size_t line = 1;
  bool first = true;
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1, ++line) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string_view content(text.data() + begin, end - begin);
    if (content.find_first_not_of(" \t\r") == content.npos) continue;
    const nlohmann::json document = parse_json(content, "data", file.string(), line);
    require(document.is_object() && document.contains("text") && document["text"].is_string(), "data",
            "expected {\"text\": ...} in ", file.string(), ", line ", line, ", got ",
            document.is_object() ? "no such text" : document.type_name());
    if (!first) stream += "\n\n";
    stream += document["text"].get_ref<const std::string&>();
    first = false;
  }
  return stream;
}

// Each block is BOS and the next max_length - 1 tokens of the stream. A last, shorter block is dropped unless
// it is the only one.
class TextDataset : public Dataset {
 public:
  TextDataset(const DataOptions& options, const EncodingContext& context)
      : bos_(context.tokenizer->bos_id()), block_(options.max_length - 1) {
    std::string text = read_utf8(options.path);
    const std::string hash = sha256(text);
    if (options.path.extension() == ".jsonl") text = join_documents(text, options.path);
    require(!text.empty(), "data", "expected text in ", options.path.string(), ", got none");
    const std::vector<int64_t> ids = context.tokenizer->encode(text);
    QSLAW_CHECK(context.tokenizer->highest().second <= std::numeric_limits<int32_t>::max());
    stream_.assign(ids.begin(), ids.end());
    size_ = std::max<int64_t>(1, static_cast<int64_t>(stream_.size()) / block_);
    if (options.limit > 0) size_ = std::min(size_, options.limit);
    fingerprint_ = sha256(concat("text ", hash, " ", options.limit, " ", options.max_length));
  }

  int64_t size() const override { return size_; }
  std::string fingerprint() const override { return fingerprint_; }

  Sample at(int64_t index) const override {
    QSLAW_CHECK(index >= 0 && index < size_);
    const auto begin = stream_.begin() + index * block_;
    Sample sample{.id = std::to_string(index), .ids = {bos_}, .labels = {}, .pictures = {}};
    sample.ids.insert(sample.ids.end(), begin, begin + std::min<int64_t>(block_, stream_.end() - begin));
    sample.labels = sample.ids;
    return sample;
  }

 private:
  int64_t bos_;
  int64_t block_;  // tokens of the stream per block
  int64_t size_ = 0;
  std::vector<int32_t> stream_;
  std::string fingerprint_;
};

}  // namespace

std::unique_ptr<Dataset> make_text_dataset(const DataOptions& options, const EncodingContext& context) {
  return std::make_unique<TextDataset>(options, context);
}

}  // namespace qslaw
