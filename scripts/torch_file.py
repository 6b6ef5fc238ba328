"""What torch.save writes for a dictionary of tensors, without PyTorch (Python's pickletools describes the bytes)."""
import math
import struct
import zipfile

STORAGES = {"bfloat16": "BFloat16Storage", "float16": "HalfStorage", "float32": "FloatStorage"}


def pickled_text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def pickled_integers(values):
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def pickled_tensor(key, shape, dtype, strides=None, count=None):
    """A call of torch._utils._rebuild_tensor_v2. strides, count: those of a contiguous tensor unless given; count of the storage's elements."""
    strides = [math.prod(shape[i + 1:]) for i in range(len(shape))] if strides is None else strides
    count = math.prod(shape) if count is None else count
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + pickled_text("storage") + f"ctorch\n{STORAGES[dtype]}\n".encode() +
            pickled_text(key) + pickled_text("cpu") + b"J" + struct.pack("<i", count) + b"tQK\0" +
            pickled_integers(shape) + pickled_integers(strides) + b"\x89ccollections\nOrderedDict\n)RtR")


def write_record(archive, name, content):
    """Stored, beginning at a multiple of 64 bytes: a field of the header fills up."""
    info = zipfile.ZipInfo(name)
    begin = archive.fp.tell() + zipfile.sizeFileHeader + len(name) + 4
    padding = -begin % 64
    info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
    archive.writestr(info, content)


def write_archive(path, items, contents):
    """items: (name, pickled tensor); contents: the bytes of storages 0, 1, ... in turn, of which one at a time is in memory."""
    dictionary = b"".join(pickled_text(name) + tensor for name, tensor in items)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        write_record(archive, f"{path.stem}/data.pkl", b"\x80\x02}(" + dictionary + b"u.")
        write_record(archive, f"{path.stem}/byteorder", b"little")
        for key, content in enumerate(contents):
            write_record(archive, f"{path.stem}/data/{key}", content)
        write_record(archive, f"{path.stem}/version", b"3\n")


def write_torch_file(path, tensors, dtype, contents):
    """tensors: (name, shape); contents: the bytes of each, as write_archive takes them."""
    write_archive(path, ((name, pickled_tensor(str(key), shape, dtype)) for key, (name, shape) in enumerate(tensors)), contents)
