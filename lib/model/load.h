// Opens a model: a LLaVA folder in Hugging Face's layout or LLaVA's own, or a language model, a vision tower
// and a projector from three places.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/llava.h"

namespace qslaw {

/// Where a model comes from. Either `path`, or `language` and `vision` (and perhaps `projector`). LLaVA's own
/// layout has `vision` beside `path`, where its config.json names no folder (model/original_layout.h).
struct ModelSource {
  std::filesystem::path path;       // LLaVA folder
  std::filesystem::path language;   // LlamaForCausalLM folder
  std::filesystem::path vision;     // CLIPModel or CLIPVisionModel folder
  std::filesystem::path projector;  // safetensors or torch.save's file; empty = fresh
  std::string projector_kind = "mlp2x_gelu";
  int64_t feature_layer = -2;   // three parts only
  bool random_weights = false;  // start from random weights: `path` needs only config.json and the tokenizer
  uint64_t seed = 42;           // fresh projector, random weights
  // Files of tuned weights that take the place of the source's, a later file's that of an earlier one's;
  // under the names that are written. Not a key of the recipe: earlier stages left them.
  std::vector<std::filesystem::path> laid_over;

  /// Folder that holds the tokenizer.
  const std::filesystem::path& tokenizer_folder() const { return path.empty() ? language : path; }
};

/// The sizes, without opening any weights.
LlavaConfig read_config(const ModelSource& source);

/// The errors of load_llava, from the weight files' headers, without reading their data; of an index whose
/// files are all absent, names alone. A given projector file is read.
void check_weights(const ModelSource& source, const LlavaConfig& config);

/// What becomes of the table of token embeddings. `mapped`: nothing trains it, so it stays in the
/// checkpoint's file and dtype, mapped into memory, and only the rows of a batch are read, for whatever
/// device. Where it is the head as well, or random, it is copied all the same.
enum class EmbeddingTable { copied, mapped };

/// Loads everything in `dtype` on `device`; the decoder's linears come from `maker`. Nothing is ever filled
/// at random unless the source asks for it. UserError names a tensor that is missing, extra, of wrong shape
/// or wrong dtype; so it does of the files laid over, where those that bring some of a projector must bring
/// all.
Llava load_llava(const ModelSource& source, const LlavaConfig& config, at::ScalarType dtype,
                 at::Device device, const LinearMaker& maker, EmbeddingTable table = EmbeddingTable::copied);

/// The tower's tensors behind the feature layer ("encoder.layers.N...", "post_layernorm.weight"; no prefix),
/// which this program never computes with but Hugging Face's readers expect. In file dtype, zero copy; those
/// that the checkpoint lacks are left out; seeded random ones for a source of random weights.
NamedTensors unused_vision_tensors(const ModelSource& source, const LlavaConfig& config);

/// The decoder's linears alone, one after another, as [N, K] in file dtype: for quantization.
class DecoderWeights {
 public:
  explicit DecoderWeights(const ModelSource& source, const LlavaConfig& config);
  at::Tensor weight(const LinearSpec& spec) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace qslaw
