"""A SentencePiece BPE model, LLaMA's kind with byte fallback, in which every given word is one token.

Merges are written down rather than learned: each prefix of a word is a piece, shorter prefixes merge first, and the
word-begin mark joins last. Whatever pair merges first, the first piece of a word joined with the second is again a
prefix of the word and thus a piece, so every word ends as one token, with or without the mark.
"""
import struct

MARK = "\u2581"
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, data):
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _piece(text, score, kind):
    body = _bytes(1, text.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", score) + _number(3, kind)
    return _bytes(1, body)


def pieces_of(words):
    """(text, kind) of every piece; ids are the positions, and earlier pieces merge first."""
    prefixes = {word[:n] for word in words for n in range(2, len(word) + 1)}
    chars = sorted({c for word in words for c in word})
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    pieces += [(f"<0x{i:02X}>", BYTE) for i in range(256)]
    pieces += [(p, NORMAL) for p in sorted(prefixes, key=lambda p: (len(p), p))]
    pieces += [(MARK + word, NORMAL) for word in sorted(set(words), key=lambda w: (len(w), w))]
    return pieces + [(c, NORMAL) for c in [MARK, *chars]]


def write_model(words, path):
    """Writes tokenizer.model (sentencepiece_model.proto: pieces 1, trainer_spec 2, normalizer_spec 3)."""
    pieces = pieces_of(words)
    out = b"".join(_piece(text, 0.0 if kind != NORMAL else -float(i), kind) for i, (text, kind) in enumerate(pieces))
    bpe = 2
    trainer = _number(3, bpe) + _number(4, len(pieces)) + _number(35, 1)  # model_type, vocab_size, byte_fallback
    trainer += _number(40, 0) + _number(41, 1) + _number(42, 2) + _varint(43 << 3) + b"\xff" * 9 + b"\x01"  # pad -1
    normalizer = _bytes(1, b"identity") + _number(3, 1) + _number(4, 0) + _number(5, 1)
    path.write_bytes(out + _bytes(2, trainer) + _bytes(3, normalizer))
    return len(pieces)
