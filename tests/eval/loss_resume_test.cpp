// Losses of an unfinished evaluation: what its finished batches gave is kept.
#include <algorithm>

#include "core/files.h"
#include "eval_case.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

// Of eight conversations two neighbors and the last one have no answer.
BenchmarkOptions loss_of_some(const EvalCase& eval) {
  json some = json::array();
  const json all = read_json(demo_data("heldout_new.json"));
  for (size_t i = 0; i < 8; ++i)
    some.push_back(all.at(i));
  for (const size_t bad : {size_t{1}, size_t{2}, size_t{7}})
    some[bad]["conversations"].erase(size_t{1});
  write_json(eval.path() / "some.json", some);
  BenchmarkOptions options;
  options.kind = "loss";
  options.path = eval.path() / "some.json";
  options.images = demo_data("pictures");
  options.batch_size = 2;
  options.on_bad_sample = BadSamplePolicy::skip;
  return options;
}

BenchmarkOptions perplexity_of_some(const EvalCase& eval) {
  write_file_atomic(eval.path() / "text.txt", read_file(demo_data("text_heldout.txt")).substr(0, 400));
  BenchmarkOptions options;
  options.kind = "text_perplexity";
  options.path = eval.path() / "text.txt";
  options.windows = "sliding";
  options.context = 24;
  options.stride = 20;
  options.batch_size = 2;
  return options;
}

}  // namespace

TEST_CASE("loss and text_perplexity go on behind any batch to the same numbers") {
  const EvalCase eval;
  const bool text = GENERATE(false, true);
  const BenchmarkOptions options = text ? perplexity_of_some(eval) : loss_of_some(eval);
  const json whole = run_benchmark(options, eval.context());
  const auto lines = eval.lines(options.kind);
  EvalContext context = eval.context();
  context.answers = eval.path() / "unfinished";
  const fs::path kept = context.answers / (options.kind + ".jsonl");
  CHECK(run_benchmark(options, context) == whole);
  const std::string batches = read_file(kept);
  REQUIRE(std::count(batches.begin(), batches.end(), '\n') == (text ? 4 : 3));

  for (size_t end = 0; end < batches.size(); end = batches.find('\n', end) + 1) {
    INFO("kept: " << batches.substr(0, end));
    write_file_atomic(kept,
                      batches.substr(0, end + 9));  // as a kill leaves it while the next batch is written
    CHECK(run_benchmark(options, context) == whole);
    CHECK(eval.lines(options.kind) == lines);
    CHECK(read_file(kept) == batches);
  }

  json first = json::parse(batches.substr(0, batches.find('\n')));
  first["samples"][0][2] = 123.5;
  write_file_atomic(kept, first.dump() + "\n");
  run_benchmark(options, context);
  CHECK(eval.lines(options.kind).at(0).at("nll") == 123.5);  // not measured again
}
