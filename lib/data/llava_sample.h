// One sample of an instruction file, as LLaVA writes them: {"id": ..., "image": "a.jpg" or ["a.jpg", ...],
// "conversations": [{"from": "human" or "gpt", "value": "..."}, ...]}.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/conversation.h"

namespace qslaw {

/// As its file has it, not yet encoded.
struct LlavaSample {
  std::string id;
  std::vector<std::string> pictures;  // names as written
  std::vector<Turn> turns;
  std::string problem;  // why it cannot be used; empty when it can
};

/// `fallback_id` is that of a sample without one.
LlavaSample read_llava_sample(const nlohmann::json& sample, const std::string& fallback_id);

/// LLaVA leaves out a first turn that is not the human's. UserError of `where` unless the two speak in turn
/// from there on, and where an answer is needed, unless there is one; turns are counted as the file has them.
std::vector<Turn> from_the_human_on(std::vector<Turn> turns, bool needs_answer, const std::string& where);

}  // namespace qslaw
