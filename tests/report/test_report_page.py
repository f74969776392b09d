"""The report: complete, honest by verdict, escaped, self-contained, and readable in a real browser, light and dark."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_run import SENTIMENT, made_run

from serve.browser import Browser
from understudy.evaluate.compare import compare_runs
from understudy.report import write_report
from understudy.report.figures import has_subsets
from understudy.report.page import data_rows, facts, render
from understudy.report.recorded import read_run
from understudy.report.words import story
from understudy.study.run import Run
from understudy.study.summary import summary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
QUIET += ["disable-component-update", "disable-sync", "hide-scrollbars", "enable-logging=stderr"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a clear gain."""
    return write_report(made_run(tmp_path_factory.mktemp("runs") / "gain", seeds=3))


def visible(path: Path) -> str:
    """The text of a page, spaces made common."""
    body = path.read_text().split("<body>")[1]
    return re.sub(r"[\s\u202f\u00a0]+", " ", re.sub(r"<[^>]+>", " ", body)).replace("&nbsp;", " ")


def test_everything_that_was_asked_for_is_there(page):
    text = visible(page)
    assert page.name == "report.html"
    results = json.loads((page.parent / "results.json").read_text())
    for system in results["systems"].values():
        assert f"{100 * system['metrics']['accuracy']['mean']:.2f} %" in text
        assert f"{system['parameters']:,}".replace(",", " ") in text
    headings = [
        "The systems",
        "With fewer modalities",
        "What each modality costs",
        "Learning curves",
        "Do the probabilities mean",
    ]
    for heading in [*headings, "Data and settings", "What the numbers mean", "Every resolved setting", "All metrics"]:
        assert heading in text
    assert results["comparison"]["test"] in text
    assert "arguments.options.temperature" in text
    assert "4f1d0c5e9a77b302" in text
    assert text.count("p50") >= 2
    assert page.read_text().count("<svg") == 2 * 5
    assert not list(page.parent.glob(".*.part"))


def test_better_says_against_what_and_how_sure(page):
    text = visible(page)
    assert "Distillation helped: with fou alone, the student’s accuracy rose from" in text
    assert "the same student trained without distillation: the same 50 labelled rows, as many steps, 3 training runs" in text
    assert "with 95 % confidence it lies between" in text
    assert "of the advantage of a teacher that reads fou, zer and mor" in text
    assert "Ship the distilled student." in text


def test_worse_is_told_as_a_loss(tmp_path):
    told = story(read_run(made_run(tmp_path / "loss", plain=0.6, distilled=0.35, seeds=4)))
    assert told.headline.startswith("Distillation hurt: with fou alone, the student’s accuracy fell from")
    assert told.advice.startswith("Ship the plain student")
    assert told.share == ""


def test_a_tie_claims_nothing(tmp_path):
    text = visible(write_report(made_run(tmp_path / "tie", SENTIMENT, teacher=0.7, plain=0.6, distilled=0.602, validated=True)))
    assert "No gain can be shown: the student’s mean absolute error is" in text
    assert "Do not count on a gain here" in text
    assert "is within what chance gives" in text
    assert "Predicted against true" in text
    assert "Acc-2 has0" in text
    assert "chose the weights" in text
    assert "helped" not in text
    assert "percentage points" not in text


def test_one_seed_and_a_teacher_without_advantage(tmp_path):
    run = read_run(made_run(tmp_path / "one", teacher=0.35, plain=0.35, distilled=0.6, seeds=1, views=("fou",)))
    told = story(run)
    assert told.headline.startswith("One training run, no verdict: the student")
    assert told.advice.startswith("Repeat it with several seeds")
    assert "says nothing about another training" in told.evidence
    assert told.share == ""
    assert "Chance alone" not in [name for name, *_ in facts(run)]
    assert "Share recovered" not in [name for name, *_ in facts(run)]
    assert not has_subsets(run.subsets)


def test_coverage_is_never_silent(tmp_path):
    run = read_run(made_run(tmp_path / "run", seeds=2))
    run = replace(run, results={**run.results, "coverage": 0.75, "rows": 180})
    assert story(run).cautions[0].replace("\u202f", " ").startswith("25 % of the test rows lack what a system needs")
    assert ("Test rows scored", "180, coverage 75.0\u202f%") in data_rows(run)


def test_a_bare_run_has_a_page_too(tmp_path):
    run = made_run(tmp_path / "run", seeds=2)
    for extra in ("subsets.json", "cost.json", "run.json", *(str(p.relative_to(run)) for p in run.glob("*/seed-*/*"))):
        (run / extra).unlink()
    assert write_report(run).read_text().count("<svg") == 2


def test_no_run_no_page(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no results\.json"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(ValueError, match="it lacks 'task'"):
        write_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_markup_from_data_stays_text(tmp_path):
    evil = "<script>alert(1)</script>$x_1$&\"'"
    run = made_run(tmp_path / "<b>run", seeds=2, views=(evil, "<img src=x onerror=alert(2)>"), name=evil)
    html = write_report(run).read_text()
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>run" not in html
    assert html.count("&lt;script&gt;") >= 5


def test_no_network_no_script(page):
    html = page.read_text()
    addresses = re.findall(r"(?:src|href|action|data)\s*=\s*[\"']?([^\"'\s>]+)", html) + re.findall(r"url\(([^)]*)\)", html)
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "//" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert "mathdefault" not in html
    assert "<script" not in html
    assert "default-src 'none'" in html


def test_figures_take_the_page_colours_and_share_no_ids(page):
    html = page.read_text()
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert set(re.findall(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", drawn)) == set()
    assert {"var(--teacher)", "var(--plain)", "var(--distilled)", "var(--ink)"} <= set(re.findall(r"var\(--\w+\)", drawn))
    figures = [set(re.findall(r'id="([^"]*)"', figure)) for figure in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)]
    assert sum(len(found) for found in figures) == len(set().union(*figures))
    assert 2 * html.count('role="img"') == html.count("<svg") == 2 * html.count("<figcaption>")


def test_page_needs_no_torch(page):
    code = "import sys; from pathlib import Path; from understudy.report import write_report; write_report(Path(sys.argv[1]))"
    code += "; assert 'torch' not in sys.modules and 'scipy' not in sys.modules, 'heavy import'"
    before = page.read_text()
    subprocess.run([sys.executable, "-c", code, str(page.parent)], check=True, timeout=60)
    assert page.read_text() == before  # and the page depends on nothing but the files


def browse(page: Path, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *(f"--{flag}" for flag in QUIET), f"--user-data-dir={profile}", *arguments, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; Debian and Ubuntu: apt-get install chromium")
def test_in_a_browser(page, tmp_path):
    from PIL import Image, ImageStat

    for scheme, shade in ((0, range(0, 80)), (1, range(200, 256))):
        shot = tmp_path / f"{scheme}.png"
        options = (f"--screenshot={shot}", "--window-size=900,1400", f"--blink-settings=preferredColorScheme={scheme}")
        assert "CONSOLE" not in browse(page, tmp_path / "profile", *options).stderr
        grey = ImageStat.Stat(Image.open(shot).convert("L"))
        assert int(grey.median[0]) in shade
        assert grey.stddev[0] > 5


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; Debian and Ubuntu: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1000])
def test_nothing_is_cut_on_a_phone_or_a_desk(page, tmp_path, width):
    browser = Browser(tmp_path / "profile")
    try:
        browser.open(page.resolve().as_uri(), width=width)
        browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.ask("document.documentElement.scrollWidth") <= width
        # Of every figure that is shown each word lies within it, and every table within the page.
        outside = """[...document.querySelectorAll('svg text, table')].filter(each => {
            const own = each.getBoundingClientRect();
            const box = (each.closest('svg') ?? document.querySelector('main')).getBoundingClientRect();
            return own.width && (own.left < box.left - 1 || own.right > box.right + 1);
        }).map(each => each.textContent.slice(0, 40))"""
        assert browser.ask(outside) == []
        drawn = "[...document.querySelectorAll('svg')].filter(each => each.getBoundingClientRect().width).length"
        assert browser.ask(drawn) == 5
    finally:
        browser.close()


@pytest.mark.parametrize(("seeds", "told"), [(2, False), (5, True)])
def test_almost_stochastic_order_is_told_from_five_seeds_on(tmp_path, seeds, told):
    folder = made_run(tmp_path / "run", seeds=seeds)
    run = read_run(folder)
    assert (run.results["comparison"]["aso"] is not None) == told
    assert ("Almost stochastic order" in render(run)) == told
    assert ("almost stochastic order: eps_min" in summary(Run(folder, run.settings))) == told


def test_a_folder_may_be_a_string(tmp_path):
    folder = made_run(tmp_path / "run", seeds=2)
    assert write_report(str(folder)) == folder / "report.html"
    assert [each["run"] for each in compare_runs([str(folder)])] == [str(folder)]


def test_a_damaged_file_is_named(tmp_path):
    folder = made_run(tmp_path / "run", seeds=2)
    log = next(folder.glob("*/seed-*/log.jsonl"))
    log.write_text(log.read_text() + "{\n")
    with pytest.raises(ValueError, match=r"log\.jsonl is damaged"):
        read_run(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        read_run(folder)
