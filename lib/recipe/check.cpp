#include "recipe/check.h"

#include <algorithm>

#include "core/key_error.h"
#include "model/config.h"

namespace qslaw {
namespace {

void check_model(const ModelOptions& options) {
  const ModelSource& source = options.source;
  const bool whole = !source.path.empty();
  const bool language = !source.language.empty(), vision = !source.vision.empty();
  require_key(whole || language || vision, "model", "expected path, or language and vision, got neither");
  require_key(whole || language, "model.language", "expected a path beside model.vision, got none");
  require_key(whole || vision, "model.vision", "expected a path beside model.language, got none");
  if (!whole)
    check_at_key("model.projector_kind", [&source] { parse_projector_kind(source.projector_kind); });
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
  const bool given = !recipe.model.adapter.empty();
  require_key(!given || !recipe.tune || recipe.tune->method == "lora", "tune.method",
              "expected lora beside model.adapter, got \"", recipe.tune ? recipe.tune->method : "", "\"");
  const size_t phases = recipe.warmup ? recipe.warmup->phases.size() : 0;
  require_key(!given || phases == 0, "warmup.phases",
              "expected none beside model.adapter, which was learned on other weights and projector, got ",
              phases);
  require_key(
      !recipe.warmup || !recipe.quantize || recipe.quantize->method != "nf4", "warmup",
      "expected quantize.method rtn, omniquant or absorbed, as nf4 has no scale to learn, got \"nf4\"");
  require_key(!recipe.warmup || recipe.warmup->start.empty() || !recipe.quantize ||
                  recipe.quantize->method != "absorbed",
              "warmup.start",
              "expected none beside quantize.method absorbed, whose weights hold gamma already, got ",
              recipe.warmup ? recipe.warmup->start.string() : "");
}

/// What the export stage would refuse, told before anything is computed (export/formats.h:
/// require_exportable).
void check_exportable(const Recipe& recipe) {
  const ModelSource& source = recipe.model.source;
  require_key(
      !source.path.empty() || source.projector_kind == "mlp2x_gelu", "model.projector_kind",
      "expected mlp2x_gelu beside an export section, the only one that Hugging Face's LLaVA has, got \"",
      source.projector_kind, "\"");
  const std::vector<std::string>& formats = recipe.export_->formats;
  const auto peft = std::find(formats.begin(), formats.end(), "peft");
  if (peft == formats.end()) return;
  const std::string key = concat("export.formats.", peft - formats.begin());
  const bool has_adapter = !recipe.model.stages.empty() || !recipe.model.adapter.empty() ||
                           (recipe.tune && recipe.tune->method == "lora");
  require_key(has_adapter, key,
              "expected tune.method lora, model.adapter or model.stages for an adapter to export, got "
              "\"peft\" without one");
  const bool base_on_disk = !source.path.empty() && !source.random_weights;
  require_key(
      base_on_disk || exports(*recipe.export_, "hf_base"), key,
      "expected hf_base beside peft, as no folder holds the base of a model that was joined from parts or "
      "begun at random, got \"peft\" alone");
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
  if (recipe.export_) check_exportable(recipe);
}

}  // namespace qslaw
