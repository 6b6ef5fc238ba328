#include "export/hf_tensors.h"

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "export/formats.h"
#include "io/dtypes.h"
#include "model/named_tensors.h"
#include "model/weight_names.h"

namespace qslaw {
namespace {

// Collects tensors in one dtype.
class TensorList {
 public:
  explicit TensorList(at::ScalarType dtype) : dtype_(dtype) {}

  using Compare = std::function<void(const at::Tensor& made, const at::Tensor& written)>;

  void add(const std::string& name, std::vector<int64_t> shape, const std::function<at::Tensor()>& make,
           const Compare& compare = {}) {
    tensors_.push_back({name, dtype_, std::move(shape), [name, dtype = dtype_, make, compare] {
                          require_not_stopped();
                          at::Tensor made = make();
                          const at::Tensor tensor = made.to(dtype);
                          if (compare) compare(made, tensor);
                          made.reset();  // so that what follows needs no more memory than without it
                          require(at::isfinite(tensor).all().item<bool>(), "export", "tensor ", name,
                                  ": expected finite values in ", dtype_name(dtype), ", got others");
                          return tensor;
                        }});
  }
  void add(const std::string& name, const at::Tensor& tensor) {
    add(name, tensor.sizes().vec(), [tensor] { return tensor; });
  }
  std::vector<StreamedTensor> take() { return std::move(tensors_); }

 private:
  at::ScalarType dtype_;
  std::vector<StreamedTensor> tensors_;
};

// New rows are the mean of the old ones: as logits they lie at the mean of a token's logits, so none is ever
// the largest.
at::Tensor extend_rows(const at::Tensor& table_VD, int64_t rows) {
  const at::Tensor mean_D = table_VD.to(at::kFloat).mean(0, true).to(table_VD.scalar_type());
  return at::cat({table_VD, mean_D.expand({rows - table_VD.size(0), -1})});
}

void add_vocabulary_table(TensorList& list, const std::string& name, const at::Tensor& table_VD,
                          int64_t rows) {
  if (rows == table_VD.size(0)) return list.add(name, table_VD);
  list.add(name, {rows, table_VD.size(1)}, [table_VD, rows] { return extend_rows(table_VD, rows); });
}

void add_linears(TensorList& list, Llava& model, const std::map<std::string, const LoraLinear*>& unmerged,
                 RoundingErrors& errors) {
  const auto specs = linear_specs(model.config.language);
  size_t next = 0;
  for (LlamaBlock& block : model.language.blocks) {
    for (auto& [leaf, linear] : block_linears(block)) {
      const LinearSpec& spec = specs[next++];
      const auto lora = unmerged.find(spec.name);
      const Linear* source = lora == unmerged.end() ? linear->get() : &lora->second->base();
      const std::string name =
          written_names().language + spec.name.substr(std::string("model.").size()) + ".weight";
      list.add(
          name, {spec.rows, spec.columns}, [source] { return source->dense_weight(at::kFloat); },
          [layer = spec.name, &errors](const at::Tensor& made, const at::Tensor& written) {
            errors.add(layer, made, written);
          });
    }
  }
}

// Embedding, norms and head; dense linears are among the slots too, but come through their seam.
void add_language_rest(TensorList& list, Llava& model) {
  std::set<std::string> linears;
  for (const auto& spec : linear_specs(model.config.language)) {
    linears.insert(written_names().language + spec.name.substr(std::string("model.").size()) + ".weight");
  }
  const int64_t rows = exported_vocab(model.config);
  for (const auto& [name, tensor] : language_slots(model)) {
    const bool table = tensor == &model.language.embedding_VD || tensor == &model.language.head_VD;
    if (table) add_vocabulary_table(list, name, *tensor, rows);
    if (!table && linears.count(name) == 0) list.add(name, *tensor);
  }
}

void add_vision(TensorList& list, const ExportTask& task, Llava& model) {
  for (const auto& [name, tensor] : vision_slots(model))
    list.add(name, *tensor);
  const NamedTensors rest = unused_vision_tensors(task.source, model.config);
  for (const auto& [name, tensor] : rest)
    list.add(written_names().vision + name, tensor);
  const VisionConfig& vision = model.config.vision;
  const size_t expected =
      static_cast<size_t>(vision.layers - vision.blocks_used()) * 16 + 2;  // 8 parts a block, 2 each
  if (rest.size() < expected) {
    log_warning(concat(
        "the checkpoint lacks ", expected - rest.size(),
        " tensors of the vision tower behind its feature layer; Hugging Face will report them as missing, "
        "but computes nothing with them"));
  }
}

}  // namespace

int64_t exported_vocab(const LlavaConfig& config) {
  const int64_t vocab = config.language.vocab;
  return config.image_token_id < vocab ? vocab : (config.image_token_id + 64) / 64 * 64;
}

at::ScalarType export_dtype(const ExportOptions& options) {
  if (options.dtype == "float32") return at::kFloat;
  if (options.dtype == "float16") return at::kHalf;
  QSLAW_CHECK(options.dtype == "bfloat16");
  return at::kBFloat16;
}

std::vector<StreamedTensor> hf_tensors(const ExportTask& task, bool merge_adapter, RoundingErrors& errors) {
  auto& model =
      const_cast<Llava&>(*task.model);  // the lists of slots are made for writers too; here they are read
  std::map<std::string, const LoraLinear*> unmerged;
  if (!merge_adapter) {
    for (const LoraLinear* layer : task.adapter)
      unmerged[layer->name()] = layer;
  }
  TensorList list(export_dtype(task.options));
  add_language_rest(list, model);
  add_linears(list, model, unmerged, errors);
  for (const auto& [name, tensor] : projector_slots(model))
    list.add(name, *tensor);
  add_vision(list, task, model);
  return list.take();
}

}  // namespace qslaw
