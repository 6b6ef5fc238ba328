#!/usr/bin/env python3
"""Scale learning written plainly in PyTorch, as the authors of QSLAW have it: the 16-bit weights stay, and every pass quantizes
and dequantizes each of them with the learned gamma of its groups (docs/method.md, `formula: qslaw`) by separate operators whose
rounding lets the gradient through. With --checkpointing each block is computed again in the backward pass, as theirs is.

Prints one JSON object: seconds of each step, and what the process took before it loaded the model.
"""
import argparse
import json
import resource
import time

import torch
import transformers
from torch.nn import functional


class ScaledLinear(torch.nn.Module):
    """y = x W^', W^ = s (clamp(round(W / (s gamma)) + z, 0, 2^bits - 1) - z) per group of a row's columns."""

    def __init__(self, linear, bits, group, math):
        super().__init__()
        self.weight, self.largest, self.math = linear.weight.detach(), 2**bits - 1, math
        self.shape = (-1, group)
        low, high = self.weight.float().view(self.shape).aminmax(dim=1, keepdim=True)
        scale = ((high - low) / self.largest).clamp(1e-5, 1e4)
        self.scale, self.zero = scale.to(math), (-low / scale).clamp(-1e4, 1e4).round().to(math)
        self.gamma = torch.nn.Parameter(torch.ones_like(scale))

    def forward(self, x):
        exact = self.weight.to(self.math).view(self.shape) / (self.scale * self.gamma.to(self.math))
        rounded = (exact.round() - exact).detach() + exact
        codes = (rounded + self.zero).clamp(0, self.largest)
        weight = (codes - self.zero) * self.scale
        return functional.linear(x, weight.view(self.weight.shape).to(x.dtype))


def load(o):
    model = transformers.AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.bfloat16, attn_implementation="sdpa")
    model.requires_grad_(False)
    for block in model.model.layers:
        for part in (block.self_attn, block.mlp):
            for name, module in list(part.named_children()):
                if isinstance(module, torch.nn.Linear):
                    setattr(part, name, ScaledLinear(module, o.bits, o.group, getattr(torch, o.math)))
    if o.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.config.use_cache = False
    return model.train()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--math", choices=["bfloat16", "float32"], default="bfloat16", help="of the quantizer's operators")
    parser.add_argument("--checkpointing", action="store_true")
    for name, value in (("bits", 4), ("group", 128), ("batch", 2), ("tokens", 512), ("steps", 6), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    libraries = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model = load(o)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3, weight_decay=0.0, fused=True)
    seconds = []
    for _ in range(o.steps):
        ids = torch.randint(3, 500, (o.batch, o.tokens))
        began = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"step_seconds": seconds, "libraries_bytes": libraries}))


if __name__ == "__main__":
    main()
