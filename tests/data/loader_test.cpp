#include "data/loader.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "io/image_fixtures.h"
#include "temporary_folder.h"

using namespace qslaw;

namespace {

/// Samples whose only id is their index. Earlier ones take longer, so that workers finish out of order.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(int64_t size, std::set<int64_t> bad = {}) : size_(size), bad_(std::move(bad)) {}

  int64_t size() const override { return size_; }
  std::string fingerprint() const override { return "fake"; }
  Sample at(int64_t index) const override {
    ++calls;
    std::this_thread::sleep_for(std::chrono::microseconds(200 * (7 - index % 7)));
    if (broken_code) throw InternalError("not the sample's fault");
    if (too_long.count(index) > 0)
      throw LongSample(concat("index ", index, " is too long"), 9, long_is_skipped);
    if (bad_.count(index) > 0) fail("fake", "expected a good sample, got index ", index);
    Sample sample{concat("sample ", index), {index}, {index}, {}};
    if (!picture.empty()) sample.pictures = {picture};
    sample.where = where;
    sample.turn_left_out = shorn.count(index) > 0;
    sample.answer_empty = unanswered.count(index) > 0;
    sample.image_as_text = unillustrated.count(index) > 0;
    sample.cut_from = cut.count(index) > 0 ? 9 : 0;
    return sample;
  }

  std::filesystem::path picture;  // of every sample, when set
  std::string where;
  bool broken_code = false;
  std::set<int64_t> too_long, cut, shorn, unanswered, unillustrated;
  bool long_is_skipped = true;
  mutable std::atomic<int64_t> calls{0};

 private:
  int64_t size_;
  std::set<int64_t> bad_;
};

constexpr LoaderOptions kSkip{.threads = 3, .ahead = 8, .on_bad_sample = BadSamplePolicy::skip};

std::vector<Draw> in_order(int64_t size) {
  std::vector<Draw> plan;
  for (int64_t i = 0; i < size; ++i)
    plan.push_back({0, i});
  return plan;
}

std::vector<int64_t> next_indices(Loader& loader, int64_t count) {
  std::vector<int64_t> out;
  for (const LoadedSample& loaded : loader.next(count))
    out.push_back(loaded.sample.ids.at(0));
  return out;
}

/// The indices of a whole plan, taken `at_once` at a time.
std::vector<int64_t> run_plan(const FakeDataset& data, const std::vector<Draw>& plan, LoaderOptions options,
                              int64_t at_once = 4) {
  Loader loader({&data}, plan, 0, {.size = 8}, options);
  std::vector<int64_t> all;
  for (auto part = next_indices(loader, at_once); !part.empty(); part = next_indices(loader, at_once)) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<int64_t> indices_of(const std::vector<Draw>& draws) {
  std::vector<int64_t> out;
  for (const Draw& draw : draws)
    out.push_back(draw.index);
  return out;
}

std::vector<int64_t> skipped_indices(Loader& loader) {
  return indices_of(loader.take_noted().skipped);
}

}  // namespace

TEST_CASE("loader: the plan's order whatever the threads, the read-ahead and the step") {
  const FakeDataset data(20);
  const auto plan = plan_single(20, 60, 5);
  for (int threads : {1, 2, 5}) {
    for (int64_t ahead : {1, 3, 64}) {
      INFO(threads << " threads, " << ahead << " ahead");
      CHECK(run_plan(data, plan, {.threads = threads, .ahead = ahead}, ahead + 2) == indices_of(plan));
    }
  }
}

TEST_CASE("loader: starts anywhere, and its end is short, then empty") {
  const FakeDataset data(10);
  Loader loader({&data}, in_order(10), 7, {}, {});
  CHECK(next_indices(loader, 2) == std::vector<int64_t>{7, 8});
  CHECK(next_indices(loader, 5) == std::vector<int64_t>{9});
  CHECK(loader.next(5).empty());
  Loader finished({&data}, in_order(10), 10, {}, {});
  CHECK(finished.next(1).empty());
}

TEST_CASE("loader: two sources") {
  const FakeDataset pictures(3), texts(3);
  Loader loader({&pictures, &texts}, {{1, 2}, {0, 0}, {1, 1}}, 0, {}, {});
  CHECK(next_indices(loader, 3) == std::vector<int64_t>{2, 0, 1});
  CHECK(pictures.calls == 1);
  CHECK(texts.calls == 2);
}

TEST_CASE("loader: reads no further ahead than told") {
  const FakeDataset data(100);
  Loader loader({&data}, in_order(100), 0, {}, {.threads = 4, .ahead = 5});
  next_indices(loader, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // time for workers that would run on
  CHECK(data.calls <= 3 + 5);
  CHECK(data.calls >= 3);
}

TEST_CASE("loader: a bad sample's error comes in its turn and stays") {
  const FakeDataset data(10, {4});
  Loader loader({&data}, in_order(10), 0, {}, {.threads = 3, .ahead = 8});
  CHECK(next_indices(loader, 4) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK_THROWS_WITH(loader.next(1), Catch::Contains("got index 4"));
  CHECK_THROWS_AS(loader.next(1), UserError);
  CHECK(skipped_indices(loader).empty());
}

TEST_CASE("loader: skipping takes the next good index of the same source, the same with any threads") {
  const FakeDataset data(6, {1, 2, 5});
  const std::vector<int64_t> expected = {0, 3, 3, 3, 4, 0};
  for (int threads : {1, 4}) {
    CHECK(run_plan(data, in_order(6), {threads, 8, BadSamplePolicy::skip}) == expected);
  }
  Loader loader({&data}, in_order(6), 0, {}, kSkip);
  next_indices(loader, 2);
  CHECK(skipped_indices(loader) == std::vector<int64_t>{1, 2});  // draw 1 met both
  next_indices(loader, 4);
  CHECK(skipped_indices(loader) == std::vector<int64_t>{2, 5});
  CHECK(skipped_indices(loader).empty());
}

TEST_CASE("loader: left out, a bad sample has no other in its place") {
  const FakeDataset data(7, {1, 2, 6});
  const std::vector<int64_t> expected = {0, 3, 4, 5};
  for (int threads : {1, 4}) {
    for (int64_t at_once : {1, 2, 9}) {
      INFO(threads << " threads, " << at_once << " at once");
      CHECK(run_plan(data, in_order(7), {threads, 3, BadSamplePolicy::skip, false}, at_once) == expected);
    }
  }
  Loader loader({&data}, in_order(7), 0, {}, {3, 8, BadSamplePolicy::skip, false});
  CHECK(next_indices(loader, 2) == std::vector<int64_t>{0, 3});
  CHECK(skipped_indices(loader) == std::vector<int64_t>{1, 2});
  next_indices(loader, 5);
  CHECK(skipped_indices(loader) == std::vector<int64_t>{6});
  const FakeDataset bad(3, {0, 1, 2});
  Loader nothing({&bad}, in_order(3), 0, {}, {3, 8, BadSamplePolicy::skip, false});
  CHECK(nothing.next(2).empty());
  CHECK(skipped_indices(nothing) == std::vector<int64_t>{0, 1, 2});
}

TEST_CASE("loader: a skipped sample is logged once, however often it is met") {
  const auto path = std::filesystem::temp_directory_path() / concat("qslaw_loader_test_", ::getpid());
  {
    const LogFile log(path.string());
    run_plan(FakeDataset(4, {2}), plan_single(4, 20, 1), kSkip);
  }
  const std::string lines = read_file(path);
  std::filesystem::remove(path);
  CHECK(lines.find("got index 2") != std::string::npos);
  CHECK(lines.find("got index 2") == lines.rfind("got index 2"));
}

TEST_CASE("loader: long samples are skipped as their data set says, whatever becomes of bad ones") {
  FakeDataset data(6, {4});
  data.too_long = {1, 2};
  Loader loader({&data}, in_order(6), 0, {}, {.threads = 3, .ahead = 8});
  CHECK(next_indices(loader, 4) == std::vector<int64_t>{0, 3, 3, 3});
  const NotedSamples noted = loader.take_noted();
  CHECK(indices_of(noted.skipped) == std::vector<int64_t>{1, 2, 2});  // draw 1 met both
  CHECK(indices_of(noted.skipped_long) == std::vector<int64_t>{1, 2, 2});
  CHECK_THROWS_WITH(loader.next(1), Catch::Contains("got index 4"));

  Loader skipping({&data}, in_order(6), 0, {}, kSkip);
  CHECK(next_indices(skipping, 6) == std::vector<int64_t>{0, 3, 3, 3, 5, 5});
  const NotedSamples both = skipping.take_noted();
  CHECK(indices_of(both.skipped) == std::vector<int64_t>{1, 2, 2, 4});
  CHECK(indices_of(both.skipped_long) == std::vector<int64_t>{1, 2, 2});

  data.long_is_skipped = false;
  Loader stopping({&data}, in_order(6), 0, {}, kSkip);
  CHECK(next_indices(stopping, 1) == std::vector<int64_t>{0});
  CHECK_THROWS_WITH(stopping.next(1), "index 1 is too long");
}

TEST_CASE("loader: cut samples are noted, the first is named") {
  const auto path = std::filesystem::temp_directory_path() / concat("qslaw_loader_cut_", ::getpid());
  FakeDataset data(6);
  data.cut = {1, 3, 4};
  data.where = "train.json, sample 1 (id a)";
  {
    const LogFile log(path.string());
    Loader loader({&data}, in_order(6), 0, {}, {});
    next_indices(loader, 1);
    CHECK(loader.take_noted().cut.empty());
    next_indices(loader, 5);
    const NotedSamples noted = loader.take_noted();
    CHECK(indices_of(noted.cut) == std::vector<int64_t>{1, 3, 4});
    CHECK(noted.skipped.empty());
  }
  const std::string lines = read_file(path);
  std::filesystem::remove(path);
  const std::string said =
      "cut a long sample, as all that follow: [train.json, sample 1 (id a)] has 9 tokens";
  CHECK(lines.find(said) != std::string::npos);
  CHECK(lines.find("cut a long") == lines.rfind("cut a long"));
}

TEST_CASE("loader: of samples without their first turn or with an empty answer the first is named") {
  const auto path = std::filesystem::temp_directory_path() / concat("qslaw_loader_turn_", ::getpid());
  FakeDataset data(6);
  data.shorn = {1, 3};
  data.unanswered = {1, 2};
  data.unillustrated = {1, 4};
  data.where = "train.json, sample 1 (id a)";
  {
    const LogFile log(path.string());
    Loader loader({&data}, in_order(6), 0, {}, {});
    next_indices(loader, 6);
  }
  const std::string lines = read_file(path);
  std::filesystem::remove(path);
  CHECK(lines.find("begin so: [train.json, sample 1 (id a)]") != std::string::npos);
  CHECK(lines.find("all that follow: [train.json, sample 1 (id a)]") != std::string::npos);
  for (const char* said : {"left out a first turn of \"gpt\"", "learned nothing of an empty answer",
                           "took \"<image>\" for text in a sample without a picture"}) {
    CHECK(lines.find(said) != std::string::npos);
    CHECK(lines.find(said) == lines.rfind(said));
  }
}

TEST_CASE("loader: skipping ends with an error when every sample is bad") {
  const FakeDataset data(3, {0, 1, 2});
  Loader loader({&data}, in_order(3), 0, {}, kSkip);
  CHECK_THROWS_WITH(loader.next(1), Catch::Contains("only bad ones"));
}

TEST_CASE("loader: an error of our own is never skipped") {
  FakeDataset data(3);
  data.broken_code = true;
  Loader loader({&data}, in_order(3), 0, {}, kSkip);
  CHECK_THROWS_AS(loader.next(1), InternalError);
}

TEST_CASE("loader: pictures are decoded and transformed") {
  FakeDataset data(2);
  data.picture = image_fixtures() / "photo_420.jpg";
  const ImageTransform transform{.size = 16};
  Loader loader({&data}, in_order(2), 0, transform, {});
  const auto samples = loader.next(2);
  REQUIRE(samples.at(1).pixels_3SS.size() == 1);
  CHECK(at::equal(samples[1].pixels_3SS[0], transform_image(read_image(data.picture), transform)));
}

TEST_CASE("loader: a bad picture names its path and its sample") {
  FakeDataset data(2);
  data.picture = image_fixtures() / "no_such.jpg";
  Loader loader({&data}, in_order(2), 1, {}, {});
  CHECK_THROWS_WITH(loader.next(1), Catch::Contains("no_such.jpg") && Catch::Contains("sample 1"));
}

TEST_CASE("loader: a picture that no folder was given for names the key") {
  FakeDataset data(2);
  data.picture = "no_such_folder/no_such.jpg";
  Loader loader({&data}, {{0, 0}}, 0, {}, {});
  CHECK_THROWS_WITH(loader.next(1),
                    Catch::Contains("no_such_folder/no_such.jpg") &&
                        Catch::EndsWith(" (no images folder is given: key images; looked for in " +
                                        std::filesystem::current_path().string() + ")"));
}

TEST_CASE("loader: a bad picture's error begins with the place of its sample") {
  const TemporaryFolder folder;
  FakeDataset data(2);
  data.picture = folder.path() / "cut.png";
  data.where = "train.json, sample 1 (id a)";
  write_file_atomic(data.picture, read_file(image_fixtures() / "photo.png").substr(0, 300));
  Loader loader({&data}, in_order(2), 1, {}, {});
  CHECK_THROWS_WITH(loader.next(1),
                    "[train.json, sample 1 (id a)] expected a sound PNG, got one that is cut "
                    "short or damaged (" +
                        data.picture.string() + ")");
}

TEST_CASE("loader: stops at once when dropped midway") {
  const FakeDataset data(1000);
  for (int i = 0; i < 20; ++i) {
    Loader loader({&data}, in_order(1000), 0, {}, {.threads = 4, .ahead = 1000});
    if (i % 2 == 1) next_indices(loader, i);
  }
  // Workers that finished what they were to read ahead would make 20 000 calls, of 0.8 ms each. Stopping
  // takes one call per thread: some hundred in all, more when this thread gets no turn for a while.
  CHECK(data.calls < 10000);
}

TEST_CASE("loader: the time spent waiting is measured") {
  const FakeDataset data(7);
  Loader loader({&data}, in_order(7), 0, {}, {.threads = 1, .ahead = 1});
  CHECK(loader.waited_s() == 0);
  next_indices(loader, 7);
  CHECK(loader.waited_s() > 0);
}
