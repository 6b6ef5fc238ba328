#!/usr/bin/env python3
"""A peer's tuning steps: transformers + peft LoRA on the decoder of a LLaVA folder, in bfloat16 or over bitsandbytes NF4.

Prints one JSON object: seconds of each step, bytes of weights, optimizer and gradients, peak resident memory.
"""
import argparse
import json
import resource
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load(options):
    extra = {}
    if options.method == "nf4":
        extra["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16, llm_int8_skip_modules=["lm_head", "vision_tower", "multi_modal_projector"])
    model = transformers.LlavaForConditionalGeneration.from_pretrained(
        options.model, dtype=torch.bfloat16, attn_implementation="sdpa", **extra)
    names = [name for name, module in model.named_modules()
             if "language_model" in name and name.split(".")[-1] in LINEARS]
    return get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=2 * options.rank, lora_dropout=options.dropout,
                                            target_modules=names))


def tensor_bytes(tensors):
    return sum(t.numel() * t.element_size() for t in tensors)


def language_bytes(model):
    """Weights of the decoder, quantization constants included, adapters left out."""
    total = 0
    for name, parameter in model.named_parameters():
        if "vision_tower" in name or "multi_modal_projector" in name or "lora_" in name:
            continue
        total += parameter.numel() * parameter.element_size()
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            total += tensor_bytes([state.absmax] + ([state.state2.absmax] if state.nested else []))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=["bf16", "nf4"])
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = load(options)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    seconds = []
    for _ in range(options.steps):
        ids = torch.randint(3, 500, (options.batch, options.tokens))
        began = time.perf_counter()
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).loss.backward()
        gradients = tensor_bytes([p.grad for p in trained])
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    moments = [t for state in optimizer.state.values() for t in state.values() if torch.is_tensor(t) and t.numel() > 1]
    print(json.dumps({"step_seconds": seconds, "weights": language_bytes(model) + tensor_bytes(trained),
                      "optimizer": tensor_bytes(moments), "gradients": gradients,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
