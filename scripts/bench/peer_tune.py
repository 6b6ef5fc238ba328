#!/usr/bin/env python3
"""A peer's tuning steps: transformers + peft LoRA on a LLaMA decoder, in bfloat16 or over bitsandbytes NF4.

Of a LLaVA folder (scripts/bench/tune_step.py), or of 7b, 13b or small shapes with random weights made on the device, which needs
no files and no network (scripts/gpu_check.sh). Adapters are float32, as ours are, and their products bfloat16 by autocast, as
transformers' Trainer has them with bf16=True; --no-autocast leaves them to peft, which widens activations for products in float32.
Prints a JSON object per way of checkpointing: seconds of each step, bytes of weights, optimizer and gradients, peak memory (resident;
on CUDA in tensors and reserved by torch's allocator). With --ours, qslaw_bench's lines of the same card, the objects are lines as it
prints them, and behind them our figures beside the peer's. Exit code 3: the peer cannot run here, and the last line of standard error
says why.
"""
import argparse
import json
import resource
import statistics
import sys
import time


def give_up(what, problem=None):
    """Ends with one line that says why this peer cannot run."""
    words = "" if problem is None else f": {type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
    print(what + words, file=sys.stderr)
    sys.exit(3)


try:
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model
except Exception as problem:  # a package that is missing, or one that does not go with another
    give_up("no Python with transformers and peft", problem)

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPES = {  # what LlamaConfig does not have by default
    "7b": {},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40},
    "small": {"vocab_size": 64, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2},
}
FASTER, PEAK_SHARE, MEMORY = 1.4, 0.6, 0.45  # what is wanted of ours: times the peer's tokens/s or of the card's peak; of its memory


def dtype_option():
    """bfloat16 by the name that the installed transformers has for it: `dtype` since 4.56."""
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    return {"dtype" if version >= (4, 56) else "torch_dtype": torch.bfloat16}


def load_folder(options):
    extra = {} if options.device == "cpu" else {"device_map": options.device}
    if options.method == "nf4":
        extra["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16, llm_int8_skip_modules=["lm_head", "vision_tower", "multi_modal_projector"])
    return transformers.LlavaForConditionalGeneration.from_pretrained(
        options.model, attn_implementation="sdpa", **dtype_option(), **extra)


def make_random(options):
    config = transformers.LlamaConfig(**SHAPES[options.model], use_cache=False)
    with torch.device(options.device):
        return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", **dtype_option())


def load(options):
    is_random = options.model in SHAPES
    model = make_random(options) if is_random else load_folder(options)
    names = [name for name, module in model.named_modules()
             if (is_random or "language_model" in name) and name.split(".")[-1] in LINEARS]
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


def synchronize(options):
    if options.device == "cuda":
        torch.cuda.synchronize()


def loss_of(model, ids, options):
    with torch.autocast(options.device, torch.bfloat16, enabled=options.autocast):
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).loss


def set_checkpointing(model, mode):
    base = model.get_base_model()
    if mode == "block":
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    elif base.is_gradient_checkpointing:
        base.gradient_checkpointing_disable()


def reset_peak(options):
    if options.device == "cuda":
        torch.cuda.empty_cache()  # of what was before
        torch.cuda.reset_peak_memory_stats()


def peak_memory(options):
    """On CUDA by the names that qslaw_bench has for them."""
    if options.device == "cuda":
        return {"peak_device_bytes": torch.cuda.max_memory_allocated(), "peak_reserved_bytes": torch.cuda.max_memory_reserved()}
    return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def measure(model, options, mode):
    """The steps of a way of checkpointing, the first of which is a warm-up that the caller leaves out."""
    set_checkpointing(model, mode)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    vocabulary = getattr(model.config, "text_config", model.config).vocab_size
    reset_peak(options)
    seconds = []
    for _ in range(options.steps):
        ids = torch.randint(3, min(500, vocabulary), (options.batch, options.tokens), device=options.device)
        synchronize(options)
        began = time.perf_counter()
        loss_of(model, ids, options).backward()
        gradients = tensor_bytes([p.grad for p in trained])
        optimizer.step()
        optimizer.zero_grad()
        synchronize(options)
        seconds.append(time.perf_counter() - began)
    moments = [t for state in optimizer.state.values() for t in state.values() if torch.is_tensor(t) and t.numel() > 1]
    return {"step_seconds": seconds, "weights": language_bytes(model) + tensor_bytes(trained), "optimizer": tensor_bytes(moments),
            "gradients": gradients, **peak_memory(options)}


def print_line(kind, entry):
    print(json.dumps({kind: entry}, sort_keys=True, separators=(",", ":")), flush=True)


def read_ours(path):
    """LoRA steps on packed weights among qslaw_bench's lines, by way of checkpointing."""
    with open(path) as file:
        entries = [json.loads(line).get("result", {}) for line in file if line.startswith('{"result":')]
    return {e["checkpointing"]: e for e in entries if e.get("name") == "lora_step_packed" and "seconds" in e}


def print_target(what, value, limit, at_least):
    wanted = f"at {'least' if at_least else 'most'} {limit:.3g}"
    print_line("target", {"what": what, "value": value, "wanted": wanted, "reached": value >= limit if at_least else value <= limit})


def compare(ours, peer, options, mode):
    """Targets of one way of checkpointing. `peer`: its tokens/s and peaks. Memory's is of what nvidia-smi would see."""
    what = f"LoRA step on 4 bits, {options.model}, checkpointing {mode}, beside transformers + peft in bfloat16"
    wanted = FASTER * peer["tokens_per_second"]
    if "bfloat16_peak_flops" in ours:
        wanted = min(wanted, PEAK_SHARE * ours["bfloat16_peak_flops"] / ours["flops_per_token"])
    print_target(f"{what}: tokens a second", ours["tokens_per_second"] / peer["tokens_per_second"], wanted / peer["tokens_per_second"], True)
    if options.device == "cuda":
        in_tensors, reserved = (ours[key] / peer[key] for key in ("peak_device_bytes", "peak_reserved_bytes"))
        print_target(f"{what}: peak bytes reserved (in tensors: {in_tensors:.3g})", reserved, MEMORY, False)


def report(model, options, mode):
    """A result, and targets beside ours, as qslaw_bench prints them; an error where the card's memory did not do."""
    entry = {"name": "peer_lora_step_bfloat16", "model": options.model, "checkpointing": mode, "tokens": options.batch * options.tokens,
             "versions": {package.__name__: package.__version__ for package in (torch, transformers)}}
    try:
        entry.update(measure(model, options, mode))
    except torch.cuda.OutOfMemoryError as problem:
        print_line("result", {**entry, "error": str(problem).splitlines()[0]})
        return
    except Exception as problem:
        give_up(f"peer's step, checkpointing {mode}", problem)
    entry["tokens_per_second"] = entry["tokens"] / statistics.median(entry["step_seconds"][1:])
    print_line("result", entry)
    ours = read_ours(options.ours)
    if mode in ours:
        compare(ours[mode], entry, options, mode)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=["bf16", "nf4"])
    parser.add_argument("model", help="a LLaVA folder, or 7b, 13b, small")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--checkpointing", choices=["none", "block"], nargs="+", default=["none"])
    parser.add_argument("--no-autocast", dest="autocast", action="store_false", help="products of the adapters in float32")
    parser.add_argument("--ours", help="qslaw_bench's lines to compare with")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        give_up("no Python whose torch finds the GPU")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    try:
        model = load(options).train()
    except Exception as problem:  # of another version than this is written for, or the card has no room
        give_up(f"peer's model {options.model}, transformers {transformers.__version__}", problem)
    for mode in options.checkpointing:
        if options.ours:
            report(model, options, mode)
        else:
            print(json.dumps(measure(model, options, mode)))


if __name__ == "__main__":
    main()
