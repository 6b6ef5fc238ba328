#!/usr/bin/env python3
"""A peer's prefill and greedy decode of one sequence: llama.cpp on a GGUF file, or transformers in bfloat16 on a LLaMA folder.

Prints one JSON object: seconds of each repetition after one that is not counted. Loading is outside of all of them.
"""
import argparse
import json
import time

import numpy


class LlamaCpp:
    def __init__(self, path, o):
        import llama_cpp
        self.api = llama_cpp
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp cannot load it")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = o.prompt + o.new_tokens
        settings.n_threads = settings.n_threads_batch = o.threads
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def start(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def forward(self, ids):
        tokens = (self.api.llama_token * len(ids))(*ids)
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(tokens, len(ids))) != 0:
            raise SystemExit("llama_decode failed")
        return numpy.ctypeslib.as_array(self.api.llama_get_logits_ith(self.context, -1), shape=(self.vocab,))


class Transformers:
    def __init__(self, path, o):
        import torch
        import transformers
        torch.set_num_threads(o.threads)
        self.torch, self.cache_type = torch, transformers.DynamicCache
        self.model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
        self.vocab = self.model.config.vocab_size

    def start(self):
        self.cache = self.cache_type(config=self.model.config)

    def forward(self, ids):
        with self.torch.inference_mode():
            out = self.model(input_ids=self.torch.tensor([ids]), past_key_values=self.cache, use_cache=True, logits_to_keep=1)
            return out.logits[0, -1].float().numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["llama", "transformers"])
    parser.add_argument("model")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--logits", help="file for the logits behind the prompt (float32)")
    o = parser.parse_args()
    peer = {"llama": LlamaCpp, "transformers": Transformers}[o.peer](o.model, o)
    prompt = numpy.random.default_rng(1).integers(3, peer.vocab, o.prompt).tolist()
    prefill, decode = [], []
    for _ in range(1 + o.repeats):
        peer.start()
        began = time.perf_counter()
        logits = peer.forward(prompt)
        prefill.append(time.perf_counter() - began)
        if o.logits:
            logits.tofile(o.logits)
        began = time.perf_counter()
        for _ in range(o.new_tokens):
            logits = peer.forward([int(logits.argmax())])
        decode.append(time.perf_counter() - began)
    print(json.dumps({"prefill_seconds": prefill[1:], "decode_seconds": decode[1:]}))


if __name__ == "__main__":
    main()
