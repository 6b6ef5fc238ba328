// Products with packed weights beside products with 16-bit weights: many tokens (cuBLAS on a GPU) and few, as
// in decoding.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "bench/memory_rates.h"
#include "bench/parts.h"
#include "bench/random_model.h"
#include "core/error.h"
#include "quant/normal_float.h"
#include "quant/packed_linear.h"

namespace qslaw::bench {
namespace {

// Of the dense product's speed, from so many tokens on.
constexpr double kWantedSpeed = 0.95;
constexpr int64_t kManyTokens = 4096;
// Of the copy's bytes a second, counting packed bytes, with one token.
constexpr double kWantedShare = 0.8;
// Largest relative error of the packed product that its rounding and that of bfloat16 explain.
constexpr double kMostError = 0.02;

struct Shape {
  int64_t rows, columns;
};

std::vector<Shape> shapes_of(const std::string& model) {
  const LanguageConfig c = language_shape(model);
  return {{c.width, c.width}, {c.ffn, c.width}, {c.width, c.ffn}};
}

struct Pair {
  std::unique_ptr<Linear> packed, dense;
};

double relative_error(const at::Tensor& y, const at::Tensor& reference) {
  const at::Tensor wide = reference.to(at::kFloat);
  return ((y.to(at::kFloat) - wide).norm() / wide.norm()).item<double>();
}

// The dense twin multiplies with the packed one's own weights, so that both give the same result.
std::vector<Pair> make_pairs(const Setting& setting, Shape shape, const PackedFormat& format) {
  return make_copies(setting, shape.rows * shape.columns * format.bits / 8, [&] {
    const auto packed = random_packed(shape.rows, shape.columns, format, setting.device);
    return Pair{std::make_unique<PackedLinear>(packed),
                std::make_unique<DenseLinear>(packed->dequantize(at::kBFloat16))};
  });
}

// What a model's products in some format are held to: the worst of its shapes, kNone before the first.
constexpr double kNone = std::numeric_limits<double>::infinity();
struct Worst {
  double one_token_share = kNone, forward_speed = kNone, gradient_speed = kNone;
};

std::string name_of(const PackedFormat& format) {
  const std::string bits = concat(format.bits, " bits");
  if (format.kind == CodeKind::normal_float) return concat("normal floats of ", bits);
  return format.group_size == kGroupColumns ? bits : concat(bits, " in groups of ", format.group_size);
}

class ProductRates {
 public:
  ProductRates(const Setting& setting, Report& report, std::string model, const PackedFormat& format,
               double copied)
      : setting_(setting), report_(report), model_(std::move(model)), format_(format), copied_(copied) {}

  // One direction with one weight: times of both, and how far the packed result is from the dense one.
  void compare(const std::vector<Pair>& pairs, Shape shape, int64_t tokens, bool backward) {
    const at::Tensor x = at::randn({tokens, backward ? shape.rows : shape.columns},
                                   at::TensorOptions(setting_.device).dtype(at::kBFloat16));
    const auto apply = [&](const Linear& linear) {
      return backward ? linear.input_gradient(x) : linear.forward(x);
    };
    const double error = relative_error(apply(*pairs[0].packed), apply(*pairs[0].dense));
    QSLAW_CHECK(error < kMostError);
    const Timing packed =
        time_calls(setting_.device, [&](int64_t call) { apply(*in_turn(pairs, call).packed); });
    const Timing dense =
        time_calls(setting_.device, [&](int64_t call) { apply(*in_turn(pairs, call).dense); });
    const double products = 2.0 * static_cast<double>(tokens * shape.rows * shape.columns);
    const double rate = static_cast<double>(pairs[0].packed->weight_bytes()) / packed.median;
    const double speed = dense.median / packed.median;
    nlohmann::json entry = result(backward ? "packed_input_gradient" : "packed_product", packed);
    entry.update({{"model", model_},
                  {"codes", format_.kind == CodeKind::uniform ? "uniform" : "normal_float"},
                  {"bits", format_.bits},
                  {"group_size", format_.group_size},
                  {"rows", shape.rows},
                  {"columns", shape.columns},
                  {"tokens", tokens},
                  {"dense_seconds", dense.median},
                  {"dense_timed_by", dense.timed_by},
                  {"teraflops", products / packed.median / 1e12},
                  {"dense_teraflops", products / dense.median / 1e12},
                  {"weight_gigabytes_per_second", rate / 1e9},
                  {"of_copy", rate / copied_},
                  {"speed_of_dense", speed},
                  {"of_bfloat16_peak", share_of_peak(setting_, products / packed.median)},
                  {"relative_error", error}});
    report_.result(entry);
    double& worst = backward ? worst_.gradient_speed : worst_.forward_speed;
    if (tokens >= kManyTokens) worst = std::min(worst, speed);
    if (tokens == 1) worst_.one_token_share = std::min(worst_.one_token_share, rate / copied_);
  }

  void report_targets() const {
    const std::string name = concat(model_, ", ", name_of(format_));
    report_.at_least(concat("packed product of one token, ", name, ": packed bytes a second of the copy's"),
                     worst_.one_token_share, kWantedShare);
    if (worst_.forward_speed == kNone) return;  // there were no many tokens
    const std::string tokens =
        concat(" of ", kManyTokens, " tokens and more, ", name, ": speed of the dense one");
    report_.at_least("packed product" + tokens, worst_.forward_speed, kWantedSpeed);
    report_.at_least("packed input gradient" + tokens, worst_.gradient_speed, kWantedSpeed);
  }

 private:
  const Setting& setting_;
  Report& report_;
  std::string model_;
  PackedFormat format_;
  double copied_;
  Worst worst_;
};

void add_products(const Setting& setting, Report& report, const std::string& model, int bits, double copied) {
  const std::vector<int64_t> few = {1, 2, 4, 8, 16, 32, 64};
  const std::vector<int64_t> many =
      setting.small ? std::vector<int64_t>{128} : std::vector<int64_t>{512, 2048, 4096, 8192};
  const PackedFormat format{CodeKind::uniform, bits};
  ProductRates rates(setting, report, model, format, copied);
  for (const Shape shape : shapes_of(model)) {
    const std::vector<Pair> pairs = make_pairs(setting, shape, format);
    for (const int64_t tokens : few)
      rates.compare(pairs, shape, tokens, false);
    for (const int64_t tokens : many) {
      rates.compare(pairs, shape, tokens, false);
      rates.compare(pairs, shape, tokens, true);
    }
  }
  rates.report_targets();
}

// What differs in other formats is the reading of codes and constants: few tokens, the smallest of a model's
// weights and one of its largest.
void add_decoding_products(const Setting& setting, Report& report, const std::string& model,
                           const PackedFormat& format, double copied) {
  ProductRates rates(setting, report, model, format, copied);
  const std::vector<Shape> shapes = shapes_of(model);
  for (const Shape shape : {shapes[0], shapes[1]}) {
    const std::vector<Pair> pairs = make_pairs(setting, shape, format);
    for (const int64_t tokens : {1, 8, 32})
      rates.compare(pairs, shape, tokens, false);
  }
  rates.report_targets();
}

const std::vector<PackedFormat>& other_formats() {
  static const std::vector<PackedFormat> formats = {{CodeKind::normal_float, 4, kNormalFloatBlock},
                                                    {CodeKind::uniform, 3, kGroupColumns},
                                                    {CodeKind::uniform, 4, 32},
                                                    {CodeKind::uniform, 4, 64}};
  return formats;
}

}  // namespace

void product_part(const Setting& setting, Report& report) {
  at::NoGradGuard no_grad;
  const double copied = copy_rate(setting, report);
  for (const int bits : {4, 2}) {  // the more usual first
    for (const std::string& model : model_names(setting))
      report.attempt(concat("products, ", model, ", ", bits, " bits"),
                     [&] { add_products(setting, report, model, bits, copied); });
  }
  const std::string model = model_names(setting).front();
  for (const PackedFormat& format : other_formats())
    report.attempt(concat("products, ", model, ", ", name_of(format)),
                   [&] { add_decoding_products(setting, report, model, format, copied); });
}

}  // namespace qslaw::bench
