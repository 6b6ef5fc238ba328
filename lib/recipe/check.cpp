#include "recipe/check.h"

#include "core/key_error.h"
#include "model/config.h"

namespace qslaw {
namespace {

void check_model(const ModelOptions& options) {
  const ModelSource& source = options.source;
  if (source.path.empty()) {
    const bool any_part = !source.language.empty() || !source.vision.empty();
    require_key(any_part, "model", "expected path, or language and vision, got neither");
    require_key(!source.language.empty(), "model.language", "expected a path beside model.vision, got none");
    require_key(!source.vision.empty(), "model.vision", "expected a path beside model.language, got none");
    check_at_key("model.projector_kind", [&source] { parse_projector_kind(source.projector_kind); });
  }
  require_one_of("model.dtype", options.dtype, {"bfloat16", "float16", "float32"});
  check_template(options.template_name, "model.template");
  if (!options.image_aspect.empty())
    require_one_of("model.image_aspect", options.image_aspect, {"pad", "square"});
}

/// Which stages need another. `model.stages` may bring it from an earlier run; what it holds is seen when it
/// is opened.
void check_order(const Recipe& recipe) {
  const bool alone = recipe.model.stages.empty();
  require_key(!recipe.warmup || recipe.quantize || !alone, "warmup",
              "expected a quantize section or model.stages whose scales are to be learned, got neither");
  const bool quantized = recipe.quantize || recipe.warmup;
  require_key(!recipe.tune || recipe.tune->method != "full" || !quantized, "tune.method",
              "expected lora or projector after quantize, as packed weights are not trained, got \"full\"");
  require_key(!recipe.warmup || !recipe.quantize || recipe.quantize->method != "nf4", "warmup",
              "expected quantize.method rtn or omniquant, as nf4 has no scale to learn, got \"nf4\"");
  if (!recipe.export_ || !alone) return;
  const bool has_adapter = recipe.tune && recipe.tune->method == "lora";
  const std::vector<std::string>& formats = recipe.export_->formats;
  for (size_t i = 0; i < formats.size(); ++i)
    require_key(
        formats[i] != "peft" || has_adapter, concat("export.formats.", i),
        "expected tune.method lora or model.stages for an adapter to export, got \"peft\" without one");
}

}  // namespace

void check(const Recipe& recipe) {
  require_key(!recipe.name.empty(), "name", "expected a name, got \"\"");
  const bool printable = recipe.name.find_first_of("\t\r\n") == std::string::npos;
  require_key(printable, "name", "expected a name on one line, got several");
  check_model(recipe.model);
  if (recipe.quantize) check(*recipe.quantize);
  if (recipe.warmup) check(*recipe.warmup);
  if (recipe.tune) check(*recipe.tune);
  if (recipe.eval) check(*recipe.eval);
  if (recipe.export_) check(*recipe.export_);
  check_order(recipe);
}

}  // namespace qslaw
