#!/usr/bin/env python3
"""A peer's preparing of pictures for a vision tower of 336 pixels: PIL and transformers' CLIPImageProcessor, in micro-batches.

Prints one JSON object: seconds, pictures, and the mean of the first micro-batch, which tells whether both made the same.
"""
import argparse
import json
import time
from pathlib import Path

import torch
from PIL import Image
from transformers.models.clip.image_processing_clip import CLIPImageProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

PROCESSORS = {"pillow": CLIPImageProcessorPil, "torchvision": CLIPImageProcessor}


def pad_to_square(image, color):
    """LLaVA-1.5's expansion to a square of the mean color."""
    side = max(image.size)
    canvas = Image.new("RGB", (side, side), color)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def prepare(paths, processor, mode):
    images = [Image.open(path).convert("RGB") for path in paths]
    if mode == "pad":
        images = [pad_to_square(image, tuple(int(255 * m) for m in processor.image_mean)) for image in images]
    return processor(images=images, return_tensors="pt")["pixel_values"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processor", choices=PROCESSORS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("mode", choices=["pad", "square"])
    parser.add_argument("--batch", type=int, default=16)
    o = parser.parse_args()
    torch.set_num_threads(1)
    processor = PROCESSORS[o.processor](size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    paths = sorted(o.folder.iterdir())
    batches = [paths[i:i + o.batch] for i in range(0, len(paths), o.batch)]
    mean = prepare(batches[0], processor, o.mode).mean().item()
    began = time.perf_counter()
    pictures = sum(len(prepare(batch, processor, o.mode)) for batch in batches)
    print(json.dumps({"seconds": time.perf_counter() - began, "pictures": pictures, "mean": mean}))


if __name__ == "__main__":
    main()
