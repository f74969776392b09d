"""Shares: the metrics that lie between 0 and 1, and an interval that is kept there."""

SHARES = {
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "f1_positive",
    "acc2_has0",
    "acc2_non0",
    "f1_has0",
    "f1_non0",
    "acc2",
    "acc3",
    "acc5",
    "acc7",
    "acc7_binned",
    "f1",
    "ece",
    "coverage",
    "ceiling",
    "map",
}


def bounded(metric: str, low: float | int, high: float | int) -> tuple[float, float]:
    """Both ends of an interval; of shares within 0 and 1, which a t interval of few runs may overshoot."""
    return (max(0.0, low), min(1.0, high)) if metric in SHARES else (low, high)
