#!/usr/bin/env python3
"""Writes photos of 640 x 480 pixels as JPEG and an instruction file that asks about each, for speed runs.

    scripts/bench/make_photos.py runs/photos --count 1000
Cut out of scikit-learn's two sample photos, enlarged and half of them mirrored, with grain in the place of the detail that
enlarging lacks, at a quality of 85 to 95: china.jpg by danielbuechele and flower.jpg by vultilion (flickr.com), both under CC BY 2.0.
The same seed gives the same photos.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

SIZE = (640, 480)
GRAIN = (2.0, 12.0)  # deviation, of 255; with it a photo has 125 kB on average


def make_photo(source, rng):
    width = rng.randint(420, source.height * SIZE[0] // SIZE[1])
    height = width * SIZE[1] // SIZE[0]
    left, top = rng.randint(0, source.width - width), rng.randint(0, source.height - height)
    photo = source.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        photo = ImageOps.mirror(photo)
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(*GRAIN), (SIZE[1], SIZE[0], 1))
    return Image.fromarray(np.clip(np.rint(np.asarray(photo) + grain), 0, 255).astype(np.uint8))


def make_sample(name):
    return {"id": name, "image": f"{name}.jpg", "conversations": [
        {"from": "human", "value": "<image>\nWhat is on this picture?"}, {"from": "gpt", "value": "A flower or a temple."}]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    (o.out / "photos").mkdir(parents=True, exist_ok=True)
    sources = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    rng = random.Random(o.seed)
    names = [f"photo_{i:04}" for i in range(o.count)]
    for i, name in enumerate(names):
        make_photo(sources[i % len(sources)], rng).save(o.out / "photos" / f"{name}.jpg", quality=rng.randint(85, 95))
    (o.out / "photos.json").write_text(json.dumps([make_sample(name) for name in names]))  # last: it says that all are there


if __name__ == "__main__":
    main()
