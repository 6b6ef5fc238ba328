// Batches that are loaded while the one before is answered: nothing but the time may depend on it.
#include "eval/answer_prompts.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "eval/question_prompt.h"
#include "eval_case.h"
#include "question_files_case.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

constexpr size_t kPrompts = 6;

/// Six prompts, in batches of two.
struct PromptCase {
  EvalCase eval;
  BenchmarkOptions options = textvqa_case(eval.path() / "data");
  std::vector<BenchmarkQuestion> questions = read_benchmark_questions(options);
  EvalContext context = eval.context();

  PromptCase() { context.answers = eval.path() / "unfinished"; }
  LoadedSample load(size_t i) const {
    return load_question(questions[i % questions.size()], eval.tokenizer, TemplateKind::vicuna_v1,
                         tiny_transform());
  }
  size_t stored_batches() const {
    const std::string text = file_text(context.answers / "textvqa.jsonl");
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  // Whether so many are stored before long; the limit only ends a test that fails.
  bool wait_for_batches(size_t count) const {
    for (int tries = 0; tries < 60'000 && stored_batches() < count; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return stored_batches() >= count;
  }
};

}  // namespace

TEST_CASE("prompts are loaded in order on another thread, one batch ahead") {
  const PromptCase prompts;
  std::vector<size_t> loaded, stored;
  bool elsewhere = true, first_was_stored = false;
  const auto here = std::this_thread::get_id();
  const Answers answers = answer_prompts(
      kPrompts,
      [&](size_t i) {
        loaded.push_back(i);
        stored.push_back(prompts.stored_batches());
        elsewhere = elsewhere && std::this_thread::get_id() != here;
        if (i == 2) first_was_stored = prompts.wait_for_batches(1);
        return prompts.load(i);
      },
      prompts.options, prompts.context);
  CHECK((loaded == std::vector<size_t>{0, 1, 2, 3, 4, 5}));
  CHECK(elsewhere);
  // The second batch is still being loaded when the first is answered.
  CHECK(first_was_stored);
  // The third batch is begun when the second is to be answered, so the first is stored by then.
  CHECK(stored[4] >= 1);
  REQUIRE(answers.size() == kPrompts);
  for (const auto& [number, text] : answers) {
    INFO(number);
    CHECK(text == prompts.eval.greedy_answer(prompts.load(number), prompts.options.max_new_tokens));
  }
}

TEST_CASE("a prompt that cannot be loaded ends the run behind the batches before it") {
  const PromptCase prompts;
  const auto load = [&](size_t i) {
    if (i == 4) fail("data", "expected a picture, got none");
    return prompts.load(i);
  };
  CHECK_THROWS_WITH(answer_prompts(kPrompts, load, prompts.options, prompts.context),
                    "[data] expected a picture, got none");
  CHECK(prompts.stored_batches() == 2);
  BenchmarkOptions skipping = prompts.options;
  skipping.on_bad_sample = BadSamplePolicy::skip;
  const Answers answers = answer_prompts(kPrompts, load, skipping, prompts.context);
  CHECK(answers.size() == 5);
  CHECK(answers.count(4) == 0);
  CHECK(prompts.stored_batches() == 3);
  // Nothing is left to load.
  size_t calls = 0;
  const auto count = [&](size_t i) {
    ++calls;
    return prompts.load(i);
  };
  CHECK(answer_prompts(kPrompts, count, skipping, prompts.context) == answers);
  CHECK(calls == 0);
}

TEST_CASE("a stop while a batch is loaded ends the run with what was answered") {
  const PromptCase prompts;
  const auto load = [&](size_t i) {
    if (i == 2) request_stop();
    return prompts.load(i);
  };
  CHECK_THROWS_AS(answer_prompts(kPrompts, load, prompts.options, prompts.context), Stopped);
  request_stop(false);
  CHECK(prompts.stored_batches() <= 1);
  const Answers answers = answer_prompts(
      kPrompts, [&](size_t i) { return prompts.load(i); }, prompts.options, prompts.context);
  CHECK(answers.size() == kPrompts);
}
