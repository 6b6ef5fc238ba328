#include "eval/batch_store.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "core/one_line.h"
#include "core/write_failure.h"

namespace fs = std::filesystem;

namespace qslaw {

using nlohmann::json;

namespace {

bool has_list(const json& batch, const char* key) {
  return batch.is_object() && batch.contains(key) && batch[key].is_array();
}

bool has_count(const json& batch, const char* key) {
  return batch.is_object() && batch.contains(key) && batch[key].is_number_unsigned();
}

// {"begin": number, "answers": [[number, text], ...]}
bool is_answered(const json& batch) {
  const auto is_answer = [](const json& answer) {
    return answer.is_array() && answer.size() == 2 && answer[0].is_number_unsigned() && answer[1].is_string();
  };
  return has_count(batch, "begin") && has_list(batch, "answers") &&
         std::all_of(batch["answers"].begin(), batch["answers"].end(), is_answer);
}

// {"position": number, "skipped": number, "samples": [[id, tokens, nll], ...]}
bool is_measured(const json& batch) {
  const auto is_sample = [](const json& sample) {
    return sample.is_array() && sample.size() == 3 && sample[0].is_string() &&
           sample[1].is_number_unsigned() && sample[2].is_number();
  };
  return has_count(batch, "position") && has_count(batch, "skipped") && has_list(batch, "samples") &&
         std::all_of(batch["samples"].begin(), batch["samples"].end(), is_sample);
}

}  // namespace

BatchStore::BatchStore(const fs::path& folder, const std::string& benchmark) {
  if (folder.empty()) return;
  file_ = folder / (benchmark + ".jsonl");
  if (!fs::exists(file_)) return;
  const std::string text = read_file(file_);
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    json batch = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                             text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (batch.is_discarded()) break;
    found_.push_back(std::move(batch));
  }
  if (begin < text.size()) fs::resize_file(file_, begin);
}

void BatchStore::add(const json& batch) const {
  if (file_.empty()) return;
  make_folder(file_.parent_path());
  std::ofstream out(file_, std::ios::app | std::ios::binary);
  out << batch.dump() << "\n" << std::flush;
  const int reason = errno;
  require(out.good(), "eval", "expected to write to ", file_.string(), ", got ", write_failure(reason));
}

void BatchStore::require_form(bool (*is_batch)(const json&), const char* form) const {
  for (const json& batch : found_) {
    require(is_batch(batch), "resume", "expected lines of ", form, ", got ", one_line(batch.dump()),
            "; start over with --restart (", file_.string(), ")");
  }
}

AnswerStore::AnswerStore(const fs::path& folder, const std::string& benchmark) : store_(folder, benchmark) {
  store_.require_form(is_answered, "begin and answers");
  for (const json& batch : store_.found()) {
    Answers& answers = batches_[batch.at("begin").get<size_t>()];
    for (const json& answer : batch.at("answers"))
      answers[answer.at(0).get<size_t>()] = answer.at(1).get<std::string>();
  }
}

const Answers* AnswerStore::find(size_t begin) const {
  const auto found = batches_.find(begin);
  return found == batches_.end() ? nullptr : &found->second;
}

void AnswerStore::add(size_t begin, const Answers& answers) const {
  json list = json::array();
  for (const auto& [number, text] : answers)
    list.push_back({number, text});
  store_.add({{"begin", begin}, {"answers", list}});
}

LossStore::LossStore(const fs::path& folder, const std::string& benchmark) : store_(folder, benchmark) {
  store_.require_form(is_measured, "position, skipped and samples");
}

std::vector<MeasuredBatch> LossStore::found() const {
  std::vector<MeasuredBatch> batches;
  for (const json& found : store_.found()) {
    MeasuredBatch batch{{}, found.at("position").get<int64_t>(), found.at("skipped").get<int64_t>()};
    for (const json& sample : found.at("samples"))
      batch.samples.push_back({sample.at(0), sample.at(1), sample.at(2)});
    batches.push_back(std::move(batch));
  }
  return batches;
}

// A double's shortest decimal form reads back as the same double.
void LossStore::add(const MeasuredBatch& batch) const {
  json samples = json::array();
  for (const SampleLoss& sample : batch.samples)
    samples.push_back({sample.id, sample.tokens, sample.nll});
  store_.add({{"position", batch.position}, {"skipped", batch.skipped}, {"samples", samples}});
}

}  // namespace qslaw
