"""One random model of the shapes of LLaVA-1.5 13B and CLIP ViT-L/14 at 336 pixels, two blocks of each in use, in two layouts,
and what transformers computes with it in float32 and bfloat16: write_real_shapes.py FOLDER
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import make_random_model  # noqa: E402

SIZES = "--size 13b --layers 2 --vision-layers 3".split()  # of the tower the last block is not used
TEXT, STEPS, KEPT = 24, 64, 48  # text tokens before and behind the picture, greedy ones, positions whose logits are kept


@torch.no_grad()
def greedy(model, ids, pixels):
    """The likeliest token but never the picture's, again and again, and the logits that it was chosen from."""
    image_id, tokens, steps = model.config.image_token_id, [], []
    out = model(input_ids=ids, pixel_values=pixels, use_cache=True)
    while True:
        logits = out.logits[:, -1].clone()
        logits[:, image_id] = -torch.inf
        tokens.append(logits.argmax(-1, keepdim=True))
        steps.append(logits.float())
        if len(tokens) == STEPS:
            return torch.cat(tokens, 1), torch.stack(steps, 1)
        out = model(input_ids=tokens[-1], past_key_values=out.past_key_values, use_cache=True)


@torch.no_grad()
def expected(folder):
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    random = torch.Generator().manual_seed(7)
    text = torch.randint(3, 30000, (2, TEXT), generator=random)
    picture = torch.full((model.config.image_seq_length,), model.config.image_token_id)
    ids = torch.cat([torch.tensor([1]), text[0], picture, text[1]])[None]
    pixels = torch.randn(1, 3, 336, 336, generator=random)
    results = {"input_ids": ids, "pixel_values": pixels, "image_token_id": torch.tensor([model.config.image_token_id]),
               "greedy": greedy(model, ids, pixels)[0],
               "logits": model(input_ids=ids, pixel_values=pixels).logits[:, -KEPT:].clone()}
    model.to(torch.bfloat16)
    pixels = pixels.to(torch.bfloat16)
    logits = model(input_ids=ids, pixel_values=pixels).logits
    tokens, steps = greedy(model, ids, pixels)
    return results | {"logits_bfloat16": logits[:, -KEPT:].float().clone(), "greedy_bfloat16": tokens, "greedy_logits_bfloat16": steps}


folder = Path(sys.argv[1])
make_random_model.main(["llava", str(folder / "llava"), *SIZES])
save_file(expected(folder / "llava"), folder / "expected.safetensors")
make_random_model.main(["clip", str(folder / "clip"), "--format", "bin", *SIZES])
make_random_model.main(["original", str(folder / "original"), "--format", "bin", "--vision-tower", "../clip", *SIZES])
