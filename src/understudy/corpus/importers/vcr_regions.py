"""Regions of VCR's pictures: the boxes of its metadata, with crops or a detector's features."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.importers.json_rows import Row, read_json
from understudy.corpus.importers.pictures import Picture, Pictures, resized
from understudy.prepare.npz import read_arrays

CROP = 16
"""Side of a region's crop in pixels: 16 x 16 x 3 features."""
OVERHANG = 1.0
"""Pixels by which a detector's box may exceed the picture; what exceeds is cut off."""
WHOLE = (0.0, 0.0, 1.0, 1.0)
Boxes = NDArray[np.float64]
Features = NDArray[np.float32]


class Regions:
    """Box and features of a whole picture and of its objects.

    features: a folder with an .npz beside each picture's name, `features [1 + objects, D]`, the whole first; None for crops.
    """

    def __init__(self, pictures: Pictures, features: Path | None) -> None:
        if features is not None and not features.is_dir():
            raise FileNotFoundError(f"no folder {features} of features")
        self.pictures, self.features, self.width = pictures, features, 0
        self._boxes: dict[str, Boxes | None] = {}

    def of(self, row: Row, used: Sequence[int], *, where: str) -> Features | None:
        """`[1 + used, 4 + D]`, the whole picture first; None where picture, metadata or features are skipped."""
        pixels, name, objects = self.pictures.whole(row["img_fn"], where=where), row["metadata_fn"], len(row["objects"])
        if pixels is None:
            return None
        reader, (height, width) = self.pictures.reader, pixels.shape[:2]
        if name not in self._boxes:
            path = self.pictures.path(name, where)
            self._boxes[name] = reader.read(lambda path: read_boxes(path, objects, width, height), path, where=where)
        boxes, places = self._boxes[name], [0, *(index + 1 for index in used)]
        if boxes is None:
            return None
        if len(boxes) != objects + 1:
            raise ValueError(f"{where}: {name} has {len(boxes) - 1} boxes for {objects} objects")
        if self.features is None:
            found: Features | None = crops(pixels, boxes[places])
        else:
            file = self.features / Path(row["img_fn"]).with_suffix(".npz")
            stored = reader.read(lambda path: read_features(path, objects), file, where=where)
            found = None if stored is None else stored[places]
        if found is None:
            return None
        self.width = self.width or found.shape[1]
        if found.shape[1] != self.width:
            raise ValueError(f"{where}: {found.shape[1]} features a region; the ones before have {self.width}")
        return np.concatenate([boxes[places], found], axis=1, dtype=np.float32)


def read_boxes(path: Path, objects: int, width: int, height: int) -> Boxes:
    """`[1 + objects, 4]` in shares of the picture, itself first; the fifth number of a detection, its score, is dropped."""
    document = read_json(path)
    listed = document.get("boxes") if isinstance(document, dict) else None
    try:
        found = np.array([[float(number) for number in box] for box in listed or []]).reshape(len(listed or []), 5)[:, :4]
    except (TypeError, ValueError):
        raise ValueError(f"{path} holds no 'boxes' of x1, y1, x2, y2 and a score each") from None
    if len(found) != objects:
        raise ValueError(f"{path} has {len(found)} boxes for {objects} objects")
    size = np.array([width, height, width, height])
    boxes = np.clip(found / size, 0, 1)
    inside = ((found >= -OVERHANG) & (found <= size + OVERHANG)).all(axis=1)
    wrong = ~inside | (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
    if wrong.any():
        box = int(np.argmax(wrong))
        raise ValueError(f"{path}, box {box} {found[box].tolist()} does not lie in the picture of {width} x {height} pixels")
    return np.concatenate([[WHOLE], boxes])


def crops(pixels: Picture, boxes: Boxes) -> Features:
    """Each box as CROP x CROP colour pixels in [0, 1], flattened."""
    coloured = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    height, width = coloured.shape[:2]
    corners = np.minimum(boxes * [width, height, width, height], [width, height, width, height])
    found = [resized(coloured, CROP, CROP, box=(box[0], box[1], box[2], box[3])) for box in corners.tolist()]
    return np.stack(found).reshape(len(found), -1).astype(np.float32) / np.float32(255)


def read_features(path: Path, objects: int) -> Features:
    """A detector's features of the whole picture and of every object."""
    found = read_arrays(path, "features").get("features")
    if found is None or found.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds no array `features` of numbers")
    found = found.astype(np.float32)
    if found.ndim != 2 or len(found) != objects + 1 or not found.shape[1] or not np.isfinite(found).all():
        wanted = f"finite numbers [{objects + 1}, D]: the whole picture, then its objects"
        raise ValueError(f"{path} has features of shape {found.shape}; expected {wanted}")
    return found
