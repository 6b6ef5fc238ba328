// Answers of the batches that an unfinished benchmark has done, so that a stopped run can go on.
#pragma once
#include <filesystem>
#include <map>
#include <string>

namespace qslaw {

/// Answers by prompt number, without surrounding white space, in valid UTF-8; prompts left out as bad samples
/// are absent.
using Answers = std::map<size_t, std::string>;

/// A file of one line per batch. What a kill has cut off at its end counts as not done.
class AnswerStore {
 public:
  /// An empty folder keeps nothing. Reads what an earlier run has left there.
  AnswerStore(const std::filesystem::path& folder, const std::string& benchmark);

  /// The answers of the batch that begins with prompt `begin`, or null when it is not done.
  const Answers* find(size_t begin) const;
  /// Writes them behind those before; the folder is made with the first.
  void add(size_t begin, const Answers& answers);

 private:
  std::filesystem::path file_;  // empty: none
  std::map<size_t, Answers> batches_;
};

}  // namespace qslaw
