"""Loads what tests/export/readers_test.cpp exported and compares: check_export.py CHECK FOLDER...

CHECK is one of CHECKS below. Each FOLDER holds the exported formats and expected.safetensors, what the C++ program computed (batch in the fixtures' form).
"""
import json
import os
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers
import torch
from safetensors.torch import load_file
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, LlavaForConditionalGeneration, PreTrainedTokenizerFast
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()

# Both sides compute in float32 with other summation orders: a few 1e-6 of the largest value over 3 blocks. A merged
# weight that was rounded to 16 bits, or a wrong scale, would be off by more than 1e-3.
TOLERANCE = 1e-4


def agree(what, actual, expected):
    error = ((actual - expected).abs().max() / expected.abs().max()).item()
    assert actual.shape == expected.shape and error < TOLERANCE, f"{what}: relative error {error}"


def load(folder):
    """The model in float32; every tensor must have been in the files, and none left over."""
    model, info = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[kind], f"{folder}: {kind} {info[kind]}"
    return model.eval()


def forward(model, expected, labels=None):
    out = model(input_ids=expected["input_ids"], attention_mask=expected["attention_mask"],
                pixel_values=expected["pixel_values"], labels=labels)
    return out.loss, out.logits * expected["attention_mask"][..., None]


def check_greedy(model, expected):
    for row, length in enumerate(expected["lengths"].tolist()):
        prompt = expected["input_ids"][row : row + 1, :length]
        new = expected["greedy"].shape[1]
        out = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                             pixel_values=expected["pixel_values"][row : row + 1], max_new_tokens=new,
                             min_new_tokens=new, suppress_tokens=[129], eos_token_id=None)
        assert out[0, length:].tolist() == expected["greedy"][row].tolist(), f"row {row}: {out[0, length:].tolist()}"


def check_hf(folder):
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        agree("logits", forward(load(folder / "hf"), expected)[1], expected["logits"])


def check_gradients(model, expected):
    loss, _ = forward(model, expected, expected["labels"])
    assert abs(loss.item() / expected["loss"].item() - 1) < TOLERANCE
    loss.backward()
    parameters = dict(model.named_parameters())
    names = [n for n in expected if n.startswith("grad.")]
    trained = {n for n, p in parameters.items() if p.requires_grad}
    for name in names:
        short = name.removeprefix("grad.")
        full = "base_model.model.model." + short
        if "lora_" in short:
            full += ".default.weight"
        else:
            full = full.replace("multi_modal_projector.", "multi_modal_projector.modules_to_save.default.")
        agree(name, parameters[full].grad, expected[name])
        trained.remove(full)
    assert len(names) == 46 and not trained, trained


def check_adapter(folder):
    from peft import PeftModel

    check_hf(folder)
    expected = load_file(folder / "expected.safetensors")
    check_greedy(load(folder / "hf"), expected)
    base = load(folder / "hf_base")
    with torch.no_grad():
        agree("base", forward(base, expected)[1], expected["logits_base"])
    config = json.loads((folder / "peft" / "adapter_config.json").read_text())
    assert (folder / "peft" / config["base_model_name_or_path"]).resolve() == (folder / "hf_base").resolve()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing.*|.*not found.*|.*unexpected.*")  # PEFT only warns
        model = PeftModel.from_pretrained(base, folder / "peft", is_trainable=True)
    model.eval()
    with torch.no_grad():
        agree("adapter", forward(model, expected)[1], expected["logits"])
    check_gradients(model, expected)
    with torch.no_grad():
        agree("merged", forward(model.merge_and_unload(), expected)[1], expected["logits"])


def make_tokenizer(folder):
    """Twelve words as a file of the tokenizers library."""
    words = ["<unk>", "<s>", "</s>", "a", "b", "c", "one", "two", "three", "and", "or", "not"]
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(words[:3])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>",
                            eos_token="</s>").save_pretrained(folder)


def check_tokenizer(folder):
    plain, tokenizer = (AutoTokenizer.from_pretrained(folder / name) for name in ("language", "exported"))
    assert len(plain) == 12 and tokenizer.convert_tokens_to_ids("<image>") == 12
    assert tokenizer("a <image> b<image>")["input_ids"] == [3, 12, 4, 12]
    assert tokenizer("one or two </s>")["input_ids"] == plain("one or two </s>")["input_ids"] == [6, 10, 7, 2]


def check_pictures(folder):
    """FOLDER/picture.png through the exported preprocessor."""
    expected = load_file(folder / "expected.safetensors")["pixels"]
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    actual = processor(Image.open(folder / "picture.png"), return_tensors="pt")["pixel_values"][0]
    # One of 255 gray levels, divided by the smallest deviation: the mean color of the margin is rounded differently.
    assert actual.shape == expected.shape and (actual - expected).abs().max().item() < 1 / 255 / 0.26, folder


CHECKS = {"adapter": check_adapter, "hf": check_hf, "make_tokenizer": make_tokenizer, "pictures": check_pictures,
          "tokenizer": check_tokenizer}

if __name__ == "__main__":
    for argument in sys.argv[2:]:
        CHECKS[sys.argv[1]](Path(argument))
        print(f"{sys.argv[1]}: as expected ({Path(argument).name})")
