#!/usr/bin/env python3
"""llama.cpp's own quantization of a GGUF file to Q4_0 or Q4_1 (llama_model_quantize).

Every linear of the blocks gets that type (pure, where llama.cpp would mix in others). Embeddings and output head stay in
bfloat16, as ours do, or with --head become what llama.cpp gives them by itself.
"""
import argparse
import ctypes

import gguf
import llama_cpp

TYPES = {"q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, "q4_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_1}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("type", choices=sorted(TYPES))
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--head", action="store_true", help="embeddings and output head too")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = o.threads
    parameters.ftype = TYPES[o.type]
    if not o.head:
        parameters.pure = True
        parameters.output_tensor_type = parameters.token_embedding_type = gguf.GGMLQuantizationType.BF16
    llama_cpp.llama_backend_init()
    code = llama_cpp.llama_model_quantize(o.source.encode(), o.out.encode(), ctypes.byref(parameters))
    if code != 0:
        raise SystemExit(f"llama_model_quantize: {code}")


if __name__ == "__main__":
    main()
