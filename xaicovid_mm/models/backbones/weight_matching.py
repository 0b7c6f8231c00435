"""Which tensor of a weights file belongs to which tensor of a network."""

from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from ...utils.errors import CheckpointError

Tensors = Mapping[str, Tensor]

UNUSED = 'num_batches_tracked'
"""Counter of batch norm, which has no influence and which older files lack."""


def match_by_name(file: Tensors, network: Tensors, prefix: str | None = None) -> dict[str, str]:
    """Name of the network's tensor to name of the file's tensor.

    A file may call all of a network's tensors by one more prefix, such as ``backbone.``. The one
    prefix under which most names fit is found by counting. Dots and underscores are taken as the
    same, because timm turns one into the other when it returns features only.

    Args:
        file: The file's tensors.
        network: The network's tensors.
        prefix: What stands before the names in the file; None to find it.

    Raises:
        CheckpointError: If two prefixes fit equally well.
    """
    wanted = {_key(name): name for name in network}
    given = {_key(name): name for name in file}
    if prefix is None:
        prefix = _prefix(given, wanted)
    start = _key(prefix)
    return {name: given[start + key] for key, name in wanted.items() if start + key in given}


def match_by_order(file: Tensors, network: Tensors, prefix: str | None = None) -> dict[str, str]:
    """Name of the network's tensor to name of the file's tensor, one after the other.

    The file may go on after the network's last tensor, with the layers of a classifier. All that is
    paired must agree in shape and in the last part of its name (``weight``, ``bias``,
    ``running_mean``, ``running_var``).

    Raises:
        CheckpointError: If the file has fewer tensors, or a pair does not agree; it is named.
    """
    wanted = [name for name in network if not name.endswith(UNUSED)]
    given = [n for n in file if not n.endswith(UNUSED) and n.startswith(prefix or '')]
    if len(given) < len(wanted):
        raise CheckpointError(
            f"by order the file's {len(given)} tensors are too few for the network's "
            f'{len(wanted)}: give the file of this network'
        )
    pairs = dict(zip(wanted, given, strict=False))
    first = first_convolution(network)
    for number, (name, source) in enumerate(pairs.items(), start=1):
        ends = [n.rpartition('.')[2] for n in (name, source)]
        if ends[0] != ends[1] or not fits(file[source], network[name], name == first):
            raise CheckpointError(
                f'by order tensor {number} of the file, {source} {tuple(file[source].shape)}, '
                f'meets {name} {tuple(network[name].shape)} of the network: the two networks '
                "differ; if the names agree, take match='name', and if other tensors stand before "
                'these in the file, name theirs by prefix'
            )
    return pairs


def first_convolution(network: Tensors) -> str | None:
    """Name of the first weight (out, in, h, w), which reads the image; None without any."""
    return next((name for name, tensor in network.items() if tensor.ndim == 4), None)


def fits(source: Tensor, target: Tensor, reads_image: bool) -> bool:
    """Whether a tensor can be taken: same shape, or three image channels for one."""
    return source.shape == target.shape or (reads_image and colours_to_grey(source, target))


def colours_to_grey(source: Tensor, target: Tensor) -> bool:
    """Whether a weight (out, 3, h, w) meets one of (out, 1, h, w)."""
    shape = source.shape
    return source.ndim == 4 and shape[1] == 3 and (shape[0], 1, *shape[2:]) == target.shape


def _key(name: str) -> str:
    return name.replace('_', '.')


def _prefix(given: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """The prefix under which most of the wanted keys are given; '' without any."""
    votes: Counter[str] = Counter()
    for key in given:
        parts = key.split('.')
        for start in range(len(parts)):
            if '.'.join(parts[start:]) in wanted:
                votes['.'.join([*parts[:start], ''])] += 1
    (best, most), *others = [*votes.most_common(2), ('', 0)][:2]
    if others and others[0][1] == most > 0:
        raise CheckpointError(
            f'the file holds two sets of weights that fit, {best!r} and {others[0][0]!r}: name one '
            'by prefix'
        )
    return best
