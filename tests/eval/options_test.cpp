#include "eval/options.h"

#include <catch2/catch.hpp>

using namespace qslaw;

TEST_CASE("one data set stands for what a benchmark asks about") {
  BenchmarkOptions options;
  options.kind = "scienceqa";
  options.problems = "p.json";
  options.splits = "s.json";
  options.images = "pictures";
  options.split = "minival";
  options.prompt_format = "CQM-A";
  options.limit = 7;
  options.on_bad_sample = BadSamplePolicy::skip;
  CHECK(has_data(options));
  const DataOptions problems = benchmark_data(options);
  CHECK(problems.kind == "scienceqa");
  CHECK(problems.problems == "p.json");
  CHECK(problems.splits == "s.json");
  CHECK(problems.images == "pictures");
  CHECK(problems.split == "minival");
  CHECK(problems.prompt_format == "CQM-A");
  CHECK(problems.limit == 7);
  CHECK(problems.on_bad_sample == BadSamplePolicy::skip);

  BenchmarkOptions text;
  text.kind = "text_perplexity";
  text.path = "t.txt";
  text.context = 64;
  const DataOptions blocks = benchmark_data(text);
  CHECK(blocks.kind == "text");
  CHECK(blocks.path == "t.txt");
  CHECK(blocks.max_length == 64);
  text.join = "\n\n";
  text.windows = "sliding";
  text.stride = 16;
  const DataOptions windows = benchmark_data(text);
  CHECK(windows.join == "\n\n");
  CHECK(windows.windows == "sliding");
  CHECK(windows.stride == 16);

  for (const char* kind : {"loss", "exact_match"}) {
    text.kind = kind;
    CHECK(benchmark_data(text).kind == "llava");
  }
  text.kind = "speed";
  CHECK_FALSE(has_data(text));
}
