"""The base model's folder without weights: configuration and tokenizer files as Hugging Face lays them out."""
import json

from word_tokenizer import MARK, NORMAL

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def config(pieces):
    image, pad = pieces, pieces + 1
    return {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava",
        "ignore_index": -100, "image_token_index": image, "pad_token_id": pad, "image_seq_length": 16,
        "projector_hidden_act": "gelu", "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
        "tie_word_embeddings": False, "torch_dtype": "float32",
        "text_config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 128, "num_hidden_layers": 6,
            "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 384, "hidden_act": "silu",
            "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
            "vocab_size": -(-(pieces + 2) // 64) * 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": pad,
            "tie_word_embeddings": False, "initializer_range": 0.02},
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
            "num_hidden_layers": 4, "image_size": 32, "patch_size": 8, "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-05, "projection_dim": 64},
    }


def tokenizer_config(pieces):
    def token(text):
        return {"content": text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                "special": True}
    added = {0: "<unk>", 1: "<s>", 2: "</s>", pieces: "<image>", pieces + 1: "<pad>"}
    return {"add_bos_token": True, "add_eos_token": False, "legacy": True, "model_max_length": 512,
            "added_tokens_decoder": {str(i): token(t) for i, t in added.items()},
            "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
            "clean_up_tokenization_spaces": False, "tokenizer_class": "LlamaTokenizer",
            "processor_class": "LlavaProcessor", "image_token": "<image>"}


def preprocessor():
    return {"image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor",
            "do_resize": True, "size": {"shortest_edge": 32}, "resample": 3,
            "do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "do_convert_rgb": True,
            "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
            "image_mean": CLIP_MEAN, "image_std": CLIP_STD}


def tokenizer_json(pieces):
    """The same tokenizer for Hugging Face's tokenizers library, which merges pairs of pieces instead of texts."""
    vocab = {text: i for i, (text, _) in enumerate(pieces)}
    mergeable = {text for text, kind in pieces if kind == NORMAL}
    merges = [[text[:n], text[n:]] for text, kind in pieces if kind == NORMAL for n in range(1, len(text))
              if text[:n] in mergeable and text[n:] in mergeable]
    specials = ["<unk>", "<s>", "</s>"]
    added = [(vocab[t], t) for t in specials] + [(len(pieces), "<image>"), (len(pieces) + 1, "<pad>")]
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, t in added],
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": False},
        "post_processor": {"type": "TemplateProcessing", "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}},
                                    {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": MARK}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": merges},
    }


def write(folder, piece_list):
    """REQUIRES: `piece_list` holds the pieces of `folder`/tokenizer.model, in order."""
    pieces = len(piece_list)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(piece_list), ensure_ascii=False) + "\n")
    files = {
        "config.json": config(pieces),
        "added_tokens.json": {"<image>": pieces, "<pad>": pieces + 1},
        "tokenizer_config.json": tokenizer_config(pieces),
        "special_tokens_map.json": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
        "preprocessor_config.json": preprocessor(),
        "processor_config.json": {"image_token": "<image>", "patch_size": 8, "num_additional_image_tokens": 1,
                                  "processor_class": "LlavaProcessor", "vision_feature_select_strategy": "default"},
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": pieces + 1},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
