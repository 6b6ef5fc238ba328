#include "model/llama.h"

#include <ATen/ATen.h>

#include "kernels/decode_attention.h"
#include "kernels/dense_product.h"
#include "kernels/swiglu.h"
#include "model/checkpointing.h"

namespace qslaw {
namespace {

// [B, T, H*S] -> [B, H, T, S]
at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

// [B, H, T, S] -> [B, T, H*S]
at::Tensor join_heads(const at::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

at::Tensor repeat_kv(const at::Tensor& x_BHTS, int64_t heads) {
  const int64_t repeats = heads / x_BHTS.size(1);
  return repeats == 1 ? x_BHTS : x_BHTS.repeat_interleave(repeats, 1);
}

struct Projected {
  at::Tensor q_BHTS, k_BHTS, v_BHTS;
};

// q, k and v, [B, T, heads * S] each.
std::vector<at::Tensor> attention_inputs(const LlamaBlock& block, const at::Tensor& x_BTD) {
  return forward_together({block.q.get(), block.k.get(), block.v.get()}, x_BTD);
}

Projected project(const LlamaBlock& block, const LanguageConfig& config, const at::Tensor& x_BTD,
                  const RopeTable& rope) {
  const auto qkv = attention_inputs(block, x_BTD);
  return {apply_rope(qkv[0], config.heads, rope), apply_rope(qkv[1], config.kv_heads, rope),
          split_heads(qkv[2], config.kv_heads)};
}

at::Tensor feed_forward(const LlamaBlock& block, const at::Tensor& normal) {
  const auto wide = forward_together({block.gate.get(), block.up.get()}, normal);
  return block.down->forward(swiglu(wide[0], wide[1]));
}

// The feed-forward half of a block with its norm and residual.
at::Tensor second_half(const LlamaBlock& block, const LanguageConfig& config, const at::Tensor& x_BTD) {
  return x_BTD + feed_forward(block, rms_norm(x_BTD, block.post_norm_D, config.rms_eps));
}

at::Tensor causal_attention(const at::Tensor& q_BHTS, const at::Tensor& k_BHTS, const at::Tensor& v_BHTS) {
  return at::scaled_dot_product_attention(q_BHTS, k_BHTS, v_BHTS, {}, 0.0, /*is_causal=*/true);
}

// Sequence by sequence where several lie end to end: what one would see of another is not even computed.
at::Tensor attend(const Projected& p, int64_t heads, const std::vector<int64_t>& packed) {
  const at::Tensor k_BHTS = repeat_kv(p.k_BHTS, heads), v_BHTS = repeat_kv(p.v_BHTS, heads);
  if (packed.empty()) return causal_attention(p.q_BHTS, k_BHTS, v_BHTS);
  std::vector<at::Tensor> attended;
  int64_t begin = 0;
  for (const int64_t length : packed) {
    const auto part = [&](const at::Tensor& x_BHTS) { return x_BHTS.narrow(2, begin, length); };
    attended.push_back(causal_attention(part(p.q_BHTS), part(k_BHTS), part(v_BHTS)));
    begin += length;
  }
  return at::cat(attended, 2);
}

// The attention half of a block over whole sequences.
at::Tensor first_half(const LlamaBlock& block, const LanguageConfig& config, const at::Tensor& x_BTD,
                      const RopeTable& rope, KvCache* cache, int64_t layer) {
  const Projected p = project(block, config, rms_norm(x_BTD, block.input_norm_D, config.rms_eps), rope);
  if (cache) cache->store_prompt(layer, p.k_BHTS, p.v_BHTS);
  return x_BTD + block.o->forward(join_heads(attend(p, config.heads, rope.packed)));
}

}  // namespace

std::vector<std::pair<std::string, std::unique_ptr<Linear>*>> block_linears(LlamaBlock& block) {
  return {{"self_attn.q_proj", &block.q}, {"self_attn.k_proj", &block.k}, {"self_attn.v_proj", &block.v},
          {"self_attn.o_proj", &block.o}, {"mlp.gate_proj", &block.gate}, {"mlp.up_proj", &block.up},
          {"mlp.down_proj", &block.down}};
}

std::vector<LinearSpec> linear_specs(const LanguageConfig& config) {
  const int64_t D = config.width, F = config.ffn;
  const int64_t Q = config.heads * config.head_size, KV = config.kv_heads * config.head_size;
  const std::vector<std::pair<const char*, std::pair<int64_t, int64_t>>> shapes = {
      {"self_attn.q_proj", {Q, D}}, {"self_attn.k_proj", {KV, D}}, {"self_attn.v_proj", {KV, D}},
      {"self_attn.o_proj", {D, Q}}, {"mlp.gate_proj", {F, D}},     {"mlp.up_proj", {F, D}},
      {"mlp.down_proj", {D, F}}};
  std::vector<LinearSpec> specs;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const auto& [name, shape] : shapes) {
      specs.push_back(
          {"model.layers." + std::to_string(layer) + "." + name, layer, shape.first, shape.second});
    }
  }
  return specs;
}

at::Tensor block_forward(const LlamaBlock& block, const LanguageConfig& config, const at::Tensor& x_BTD,
                         const RopeTable& rope, KvCache* cache, int64_t layer) {
  return second_half(block, config, first_half(block, config, x_BTD, rope, cache, layer));
}

SumAndNorm block_decode(const LlamaBlock& block, const LanguageConfig& config, const SumAndNorm& x_B1D,
                        const at::Tensor& next_norm_D, const RopeTable& rope, KvCache& cache, int64_t layer) {
  const auto qkv = attention_inputs(block, x_B1D.norm);
  const at::Tensor q_BH1S = cache.append(layer, {qkv[0], qkv[1], qkv[2]}, rope);
  const at::Tensor attended =
      decode_attention(q_BH1S, cache.keys(layer), cache.values(layer), cache.lengths_with_new_token());
  const SumAndNorm middle =
      add_rms_norm(x_B1D.sum, block.o->forward(join_heads(attended)), block.post_norm_D, config.rms_eps);
  return add_rms_norm(middle.sum, feed_forward(block, middle.norm), next_norm_D, config.rms_eps);
}

RopeTable rope_table_for(const Llama& model, const at::Tensor& x_BTD, const std::vector<int64_t>& packed) {
  return packed.empty() ? rope_table_of_length(model.rope_frequencies, x_BTD.size(1), x_BTD.scalar_type())
                        : rope_table_of_packed(model.rope_frequencies, packed, x_BTD.scalar_type());
}

at::Tensor llama_hidden(const Llama& model, const at::Tensor& x_BTD, Checkpointing checkpointing,
                        const std::vector<int64_t>& packed) {
  const RopeTable rope = rope_table_for(model, x_BTD, packed);
  const LanguageConfig& config = model.config;
  at::Tensor x = x_BTD;
  for (const LlamaBlock& block : model.blocks) {
    if (checkpointing == Checkpointing::block) {
      x = run_checkpointed(
          [&, rope](const at::Tensor& input) { return block_forward(block, config, input, rope); }, x);
      continue;
    }
    x = first_half(block, config, x, rope, nullptr, 0);
    const auto rest = [&](const at::Tensor& input) { return second_half(block, config, input); };
    x = checkpointing == Checkpointing::feed_forward ? run_checkpointed(rest, x) : rest(x);
  }
  return rms_norm(x, model.norm_D, config.rms_eps);
}

at::Tensor llama_logits(const Llama& model, const at::Tensor& hidden) {
  return dense_linear(hidden, model.head_VD.to(hidden.scalar_type())).to(at::kFloat);
}

}  // namespace qslaw
