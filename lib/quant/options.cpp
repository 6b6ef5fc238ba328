#include "quant/options.h"

#include <algorithm>

#include "core/key_error.h"

namespace qslaw {
namespace {

constexpr int64_t kMaxSamples = 1'000'000, kMaxEpochs = 100'000;

void require_member(const std::string& key, int64_t value, const std::vector<int64_t>& allowed,
                    const std::string& method) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::vector<std::string> names;
  for (const int64_t number : allowed)
    names.push_back(std::to_string(number));
  fail_key(key, "expected ", join_or(names), " for method ", method, ", got ", value);
}

void check_mix(const CalibrationOptions& options, const std::string& key) {
  require_key(options.text.has_value(), key + ".text", "expected a text source for kind mix, got none");
  require_key(options.pictures.has_value(), key + ".pictures",
              "expected a picture source for kind mix, got none");
  require_at_least(key + ".samples", options.samples, 2);  // half of each
  check(*options.text, key + ".text");
  check(*options.pictures, key + ".pictures");
  require_one_of(key + ".text.kind", options.text->kind, {"text"});
  require_one_of(key + ".pictures.kind", options.pictures->kind, {"llava", "scienceqa"});
}

void check_calibration(const CalibrationOptions& options, const std::string& key) {
  require_one_of(key + ".kind", options.data.kind, {"text", "llava", "scienceqa", "mix"});
  require_between(key + ".samples", options.samples, 1, kMaxSamples);
  require_between(key + ".length", options.length, 2, kMaxTokens);
  if (options.data.kind == "mix") {
    check_mix(options, key);
  } else {
    check(options.data, key);
  }
}

void check_omniquant(const QuantizeOptions& options) {
  const bool given = !options.omniquant.start.empty();
  require_between("quantize.omniquant.epochs", options.omniquant.epochs, given ? 0 : 1, kMaxEpochs);
  if (options.omniquant.epochs == 0) return;  // nothing is learned
  require_key(options.calibration.has_value(), "quantize.calibration",
              "expected calibration samples for method omniquant, got none");
  check_calibration(*options.calibration, "quantize.calibration");
  require_positive("quantize.omniquant.lr", options.omniquant.lr, kMaxLearningRate);
  require_at_least("quantize.omniquant.batch_size", options.omniquant.batch_size, 1);
  require_key(options.omniquant.batch_size <= options.calibration->samples, "quantize.omniquant.batch_size",
              "expected at most quantize.calibration.samples = ", options.calibration->samples, ", got ",
              options.omniquant.batch_size);
}

}  // namespace

void check(const QuantizeOptions& options) {
  require_one_of("quantize.method", options.method, {"rtn", "omniquant", "nf4", "absorbed"});
  const bool nf4 = options.method == "nf4";
  // Codes of 8 bits, multiplied out in bfloat16's 8 bits, could not be told apart.
  const bool narrow = nf4 || options.method == "absorbed";
  const std::vector<int64_t> bits = narrow ? std::vector<int64_t>{2, 3, 4} : std::vector<int64_t>{2, 3, 4, 8};
  const std::vector<int64_t> groups = nf4 ? std::vector<int64_t>{64} : std::vector<int64_t>{32, 64, 128};
  require_member("quantize.bits", options.bits, bits, options.method);
  require_member("quantize.group_size", options.group_size, groups, options.method);
  if (options.method == "omniquant") check_omniquant(options);
}

}  // namespace qslaw
