"""Numbers as people read them: shares in percent, counts with a thin space, errors in their own unit."""

from collections.abc import Mapping
from math import floor, isfinite, log10
from typing import Any

from understudy.tasks.shares import SHARES, bounded

COUNTS = {"n_has0", "n_non0", "left_out", "zero_norm", "absent_classes"}
OF_DIRECTIONS = {"map": "mAP", "recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mean_rank": "mean rank"}
"""Metrics that retrieval gives for each direction, as `map_image_to_text`."""
LABELS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "f1_positive": "F1 of the positive class",
    "absent_classes": "classes without a test row",
    "nll": "log-loss",
    "bce": "binary log-loss over all answers",
    "ceiling": "best that the vocabulary allows",
    "ece": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "corr": "correlation",
    "r2": "R²",
    "mae_clipped": "mean absolute error, clipped to ±1",
    "corr_clipped": "correlation, clipped to ±1",
    "acc2_has0": "Acc-2 has0",
    "acc2_non0": "Acc-2 non0",
    "f1_has0": "F1 has0",
    "f1_non0": "F1 non0",
    "acc7": "Acc-7",
    "acc7_binned": "Acc-7 binned",
    "acc2": "Acc-2",
    "acc3": "Acc-3",
    "acc5": "Acc-5",
    "f1": "F1",
    "n_has0": "rows has0",
    "n_non0": "rows non0",
    "map": "mAP",
    "left_out": "searches with nothing to find",
    "zero_norm": "embeddings of length 0",
}
NONE = "–"
MINUS = "−"
NARROW, FIXED = "\u202f", "\u00a0"
"""A narrow space and a common one; neither breaks a line."""


def label(metric: str) -> str:
    """A metric's name in words."""
    what, way = directed(metric)
    return f"{OF_DIRECTIONS[what]}, {way}" if way else LABELS.get(metric, metric)


def directed(metric: str) -> tuple[str, str]:
    """`map_image_to_text` as `map` and "image to text"; a metric of no direction as itself and ""."""
    for what in OF_DIRECTIONS:
        if metric.startswith(f"{what}_") and "_to_" in metric:
            return what, metric.removeprefix(f"{what}_").replace("_to_", " to ")
    return metric, ""


def value(metric: str, number: float | int | None, *, digits: int = 2) -> str:
    """A metric's value with its unit: 76.43 %, 0.784; shares with `digits` decimals. A dash for nothing."""
    if number is None or not isfinite(number):
        return NONE
    if metric in SHARES or directed(metric)[0].startswith(("map", "recall")):
        return f"{signed(100 * number, digits)}{NARROW}%"
    return whole(number) if metric in COUNTS else plain(number)


def interval(metric: str, low: float | int | None, high: float | int | None) -> str:
    """Both ends in words."""
    if low is None or high is None:
        return NONE
    low, high = bounded(metric, low, high)
    if metric in SHARES:
        return f"{signed(100 * low, 2)}{FIXED}to{FIXED}{signed(100 * high, 2)}"
    return f"{plain(low)}{FIXED}to{FIXED}{plain(high)}"


def change(metric: str, number: float | int) -> str:
    """A difference with its sign, shares in percentage points: +18.2, −0.013."""
    text = signed(100 * number, 1) if metric in SHARES else plain(number)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def plain(number: float | int) -> str:
    """Three decimals near one, four significant digits of large numbers, two of small ones."""
    size = abs(number)
    decimals = 3 if size < 10 else max(0, 3 - floor(log10(size)))
    if 1e-6 < size < 0.01:
        decimals = max(3, 1 - floor(log10(size)))
    return signed(number, decimals)


def signed(number: float | int, decimals: int) -> str:
    """Fixed decimals, a true minus sign, thin spaces in thousands, and no minus before zero."""
    text = f"{number:,.{decimals}f}".replace(",", NARROW)
    return text.replace("-", MINUS if text.strip("-0.") else "")


def whole(number: float | int) -> str:
    """A count: 1 284."""
    return signed(number, 0)


def probability(p: float | int) -> str:
    """p = 0.012, p < 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def percent(share: float | int) -> str:
    """A share without decimals: 61 %."""
    return f"{signed(100 * share, 0)}{NARROW}%"


def milliseconds(latency: Mapping[str, Any] | None, which: str) -> str:
    """p50 or p95 of a measured latency, in ms with two significant digits."""
    if not latency:
        return NONE
    number = float(latency[which])
    return signed(number, 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 0.1 else 3)


def names(modalities: list[str]) -> str:
    """text, or text and audio, or a, b and c."""
    return modalities[0] if len(modalities) == 1 else f"{', '.join(modalities[:-1])} and {modalities[-1]}"
