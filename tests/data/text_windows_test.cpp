#include "data/text_windows.h"

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace qslaw;

namespace {

// Begin, end, first that counts, and 1 for BOS in front.
using Windows = std::vector<std::vector<int64_t>>;

Windows cut(const std::string& kind, int64_t tokens, int64_t length, int64_t stride = 0) {
  Windows windows;
  for (const TextWindow& window : text_windows(kind, tokens, length, stride, "t.txt"))
    windows.push_back({window.begin, window.end, window.counted, window.starts_as_bos});
  return windows;
}

}  // namespace

TEST_CASE("text windows: a stream of 11 tokens, by hand") {
  CHECK(cut("bos", 11, 4) == Windows{{0, 4, 0, 1}, {3, 7, 3, 1}, {6, 10, 6, 1}});
  CHECK(cut("stream", 11, 4) == Windows{{0, 4, 0, 0}, {4, 8, 4, 0}});
  CHECK(cut("llama_cpp", 11, 4) == Windows{{0, 4, 3, 1}, {4, 8, 7, 1}});
  CHECK(cut("llama_cpp", 11, 5) == Windows{{0, 5, 3, 1}, {5, 10, 8, 1}});
  CHECK(cut("sliding", 11, 4, 2) ==
        Windows{{0, 4, 0, 0}, {2, 6, 4, 0}, {4, 8, 6, 0}, {6, 10, 8, 0}, {8, 11, 10, 0}});
  CHECK(cut("sliding", 12, 4, 4) == Windows{{0, 4, 0, 0}, {4, 8, 4, 0}, {8, 12, 8, 0}});
  CHECK(cut("sliding", 9, 4, 4) == Windows{{0, 4, 0, 0}, {4, 8, 4, 0}});  // 1 token is left
  CHECK(cut("sliding", 9, 4, 3) == Windows{{0, 4, 0, 0}, {3, 7, 4, 0}, {6, 9, 7, 0}});
}

TEST_CASE("text windows: streams as long as one window, and shorter") {
  CHECK(cut("stream", 4, 4) == Windows{{0, 4, 0, 0}});
  CHECK(cut("bos", 4, 4) == Windows{{0, 4, 0, 1}});
  CHECK(cut("sliding", 4, 4, 1) == Windows{{0, 4, 0, 0}});
  CHECK(cut("bos", 3, 4) == Windows{{0, 3, 0, 1}});
  CHECK(cut("sliding", 3, 4, 1) == Windows{{0, 3, 0, 0}});
  for (const char* kind : {"stream", "llama_cpp"}) {
    CHECK_THROWS_WITH(text_windows(kind, 3, 4, 0, "t.txt"),
                      Catch::Contains("expected at least one window of 4 tokens in t.txt, got 3 tokens"));
    CHECK_THROWS_AS(text_windows(kind, 3, 4, 0, "t.txt"), UserError);
  }
}

TEST_CASE("text windows: what slides predicts every token once, from as much as the window holds") {
  for (int64_t tokens = 2; tokens < 40; ++tokens) {
    for (int64_t length = 2; length < 12; ++length) {
      for (int64_t stride = 1; stride <= length; ++stride) {
        std::vector<int> times(static_cast<size_t>(tokens), 0);
        for (const TextWindow& window : text_windows("sliding", tokens, length, stride, "")) {
          REQUIRE(window.end - window.begin <= length);
          for (int64_t t = std::max(window.counted, window.begin + 1); t < window.end; ++t)
            ++times[static_cast<size_t>(t)];
        }
        for (int64_t t = 0; t < tokens; ++t) {
          // Without an overlap nothing comes before a window's first token.
          const bool unseen = t == 0 || (stride == length && t % stride == 0);
          REQUIRE(times[static_cast<size_t>(t)] == (unseen ? 0 : 1));
        }
      }
    }
  }
}
