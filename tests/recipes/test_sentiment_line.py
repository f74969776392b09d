"""The report line of the sentiment literature."""

import numpy as np

from understudy.study.summary import sentiment_line
from understudy.tasks import Classification, Regression


def over(metrics, std=0.01):
    return {name: {"mean": None if np.isnan(value) else value, "std": std} for name, value in metrics.items()}


def test_sentiment_line():
    y, p = np.array([-1.0, 0.0, 2.0]), np.array([-0.5, 0.1, -0.2])
    mosi = Regression(low=-3.0, high=3.0, sentiment=True).metrics(p, y)
    assert sentiment_line(over(mosi)).startswith("Acc-2 66.67 ± 1.00 / 50.00 ± 1.00 (n 3 / 2), F1 ")
    assert sentiment_line(over(mosi)).endswith(f"Acc-7 33.33 ± 1.00, MAE 0.933 ± 0.010, Corr {mosi['corr']:.3f} ± 0.010")
    assert ", MAE 0.933, " in sentiment_line(over(mosi, std=None))
    assert "Corr none" in sentiment_line(over(mosi | {"corr": float("nan")}))
    sims = Regression(low=-1.0, high=1.0, sentiment=True).metrics(y / 2, y / 2)
    assert sentiment_line(over(sims, std=None)) == "Acc-2 100.00, Acc-3 100.00, Acc-5 100.00, F1 100.00, MAE 0.000, Corr 1.000"
    assert sentiment_line(over(Classification(classes=("a", "b")).metrics(np.eye(2), np.arange(2)))) == ""
