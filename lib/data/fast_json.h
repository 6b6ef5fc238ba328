// JSON at a GB per second, for passes over whole files of samples. What is wrong with a text, and the samples
// that are used, come from the JSON library of everything else (core/json_text.h).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace qslaw {

/// Of a sample as LLaVA writes it (llava_sample.h).
struct SampleSize {
  int64_t words = 0;
  bool has_picture = false;
};

class FastJson {
 public:
  FastJson();
  ~FastJson();

  /// True only of valid JSON; false of anything else and of some valid texts: deep ones, whole numbers beyond
  /// 64 bits, 4 GiB.
  bool accepts(std::string_view text);
  /// A hash of the "id", a text or a whole number, of the sample accepted last; none of one that has no id.
  std::optional<size_t> id_hash() const;
  /// Of what a sample has of these keys in their form; none of a text that is not accepted.
  std::optional<SampleSize> sample_size(std::string_view text);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace qslaw
