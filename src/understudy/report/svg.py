"""SVG: a matplotlib figure as markup inside the page, in the page's own colours and font."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
TEACHER, PLAIN, DISTILLED, AUXILIARY = "#050505", "#060606", "#070707", "#080808"
ROLES = {INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper"}
ROLES |= {TEACHER: "teacher", PLAIN: "plain", DISTILLED: "distilled", AUXILIARY: "auxiliary"}
"""Colours that stand for a variable of the page's style sheet, so that one drawing serves light and dark."""

COLOURS = {"teacher": TEACHER, "plain": PLAIN, "distilled": DISTILLED}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
}


WIDE, NARROW = 10.0, 4.9
"""Inches; at 72 units an inch a figure is as wide as the page's column, or as that of a phone."""
_width: ContextVar[float] = ContextVar("width", default=WIDE)


@contextmanager
def narrow() -> Iterator[None]:
    """Inside, figures are drawn for a phone: as wide as that, with what else stands side by side one below the other."""
    before = _width.set(NARROW)
    try:
        yield
    finally:
        _width.reset(before)


def is_narrow() -> bool:
    """Whether what is drawn now is for a phone."""
    return _width.get() == NARROW


def new_figure(height: float, columns: int = 1, **options: Any) -> Any:
    """A figure without the global state of pyplot, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_width.get(), height * columns if is_narrow() else height))
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08, wspace=0.05)
    across = (columns, 1) if is_narrow() else (1, columns)
    return figure, figure.subplots(*across, squeeze=False, **options).ravel()


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """The house style, with element ids that no other figure of the page has."""
    from matplotlib import rc_context

    with rc_context({**STYLE, "svg.hashsalt": f"{name} {_width.get()}"}):
        yield


def inline(figure: "Figure") -> str:
    """The figure as an <svg> element. matplotlib escapes the text in it, so names from data stay text."""
    written = StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true" focusable="false">', text, count=1)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    for colour, role in ROLES.items():
        text = text.replace(colour, f"var(--{role})")
    return text
