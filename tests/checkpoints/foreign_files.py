"""Files that are no checkpoint of GLINT-RU: attacks, and another model."""

import io
import pickle  # noqa: TID251  # makes the files that must be refused
import zipfile

import torch


def name_of(dotted):
    """Opcodes that put what a dotted name stands for on the unpickler's stack."""
    module, _, name = dotted.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def call(function, *arguments):
    """Opcodes that call a function (opcodes) with texts and with what other opcodes put there."""
    given = (x if isinstance(x, bytes) else f"V{x}\n".encode() for x in arguments)
    return function + b"(" + b"".join(given) + b"tR"


TOUCH = "touch pwned"
SYSTEM = name_of("os.system")
GETATTR = name_of("builtins.getattr")
# By the call that is to be named.
ATTACKS = {
    "os.system": call(SYSTEM, TOUCH),
    "posix.system": call(name_of("posix.system"), TOUCH),
    "builtins.eval": call(name_of("builtins.eval"), "open('pwned', 'w')"),
    "builtins.exec": call(name_of("__builtin__.exec"), "open('pwned', 'w')"),
    # getattr on a module, on a class that is known, on a function that is known
    "builtins.__import__": call(
        call(GETATTR, call(name_of("builtins.__import__"), "os"), "system"), TOUCH
    ),
    "getattr(…, 'system')": call(call(GETATTR, name_of("torch.os"), "system"), TOUCH),
    "getattr(…, 'fromkeys')": call(GETATTR, name_of("collections.OrderedDict"), "fromkeys"),
    "getattr(…, '_to')": call(GETATTR, name_of("torch._utils._rebuild_parameter"), "_to"),
    # a dotted name, which some Pythons follow
    "builtins.getattr.__self__.eval": b"\x8c\x08builtins\x8c\x15getattr.__self__.eval\x93(V1\ntR",
    "functools.partial": call(name_of("functools.partial"), SYSTEM, TOUCH),
    # classes and functions of torch: the first loads another pickle, out of bytes in this one
    "torch.storage._load_from_bytes": call(name_of("torch.storage._load_from_bytes"), TOUCH),
    "torch.hub.load": call(name_of("torch.hub.load"), "someone/somewhere", "model"),
    "torch.jit.frontend.exec": call(name_of("torch.jit.frontend.exec"), "open('pwned', 'w')"),
    # by the opcodes that make an object: INST, OBJ, NEWOBJ, NEWOBJ_EX
    "torch.nn.Linear": b"(I1\nI1\nitorch.nn\nLinear\n",
    "torch.nn.GRU": b"(" + name_of("torch.nn.GRU") + b"I1\no",
    "torch.nn.Module": name_of("torch.nn.Module") + b")\x81(dVforward\nV1\nsb",
    "torch.nn.Conv1d": name_of("torch.nn.Conv1d") + b"(t(dVbias\nI1\ns\x92",
}


def attack(value, *, legacy=False):
    """A file like RecBole's with the value of these opcodes in it."""
    pickled = b"\x80\x04(dVstate_dict\n(dsVconfig\n" + value + b"s."
    if legacy:
        head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
        return b"".join(map(pickle.dumps, head)) + pickled + pickle.dumps([])
    return zipped(pickled)


def zipped(pickled):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("GLINTRU/data.pkl", pickled)
    return file.getvalue()


SASREC = {
    "item_embedding.weight": torch.ones(5, 4),
    "position_embedding.weight": torch.ones(5, 4),
    **{
        f"trm_encoder.layer.0.{part}.{kind}": torch.ones(shape)
        for part in ("multi_head_attention.query", "multi_head_attention.dense")
        for kind, shape in (("weight", (4, 4)), ("bias", 4))
    },
    **{f"LayerNorm.{kind}": torch.ones(4) for kind in ("weight", "bias")},
}
