// What the finished batches of an unfinished benchmark gave, so that a stopped run can go on.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/dataset_loss.h"

namespace qslaw {

/// A file of one JSON line per batch. What a kill has cut off at its end counts as not done.
class BatchStore {
 public:
  /// An empty folder keeps nothing. Reads what an earlier run has left there.
  BatchStore(const std::filesystem::path& folder, const std::string& benchmark);

  /// The batches of the earlier run, in order.
  const std::vector<nlohmann::json>& found() const { return found_; }
  /// UserError for one that is not of this form, which `form` names.
  void require_form(bool (*is_batch)(const nlohmann::json&), const char* form) const;
  /// Writes a batch behind those before; the folder is made with the first.
  void add(const nlohmann::json& batch) const;

 private:
  std::filesystem::path file_;  // empty: none
  std::vector<nlohmann::json> found_;
};

/// Answers by prompt number, without surrounding white space, in valid UTF-8; prompts left out as bad samples
/// are absent.
using Answers = std::map<size_t, std::string>;

class AnswerStore {
 public:
  AnswerStore(const std::filesystem::path& folder, const std::string& benchmark);

  /// The answers of the batch that begins with prompt `begin`, or null when it is not done.
  const Answers* find(size_t begin) const;
  void add(size_t begin, const Answers& answers) const;

 private:
  BatchStore store_;
  std::map<size_t, Answers> batches_;
};

class LossStore {
 public:
  LossStore(const std::filesystem::path& folder, const std::string& benchmark);

  std::vector<MeasuredBatch> found() const;
  void add(const MeasuredBatch& batch) const;

 private:
  BatchStore store_;
};

}  // namespace qslaw
