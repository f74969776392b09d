"""A static page in a real browser answers by itself what `predict` answers, typed texts included, and asks nobody else."""

import json
import re

import pytest
from made_artifact import write_artifact
from made_pages import TASKS, rows_of, shipped
from npm import install

from browser import CHROMIUM, Browser, files_of
from understudy.artifact import Artifact
from understudy.artifact.confidence import Wish
from understudy.prepare import catalogue
from understudy.serve.browser import VIEWS, write_page
from understudy.serve.page import FOLDER
from understudy.serve.question import Question
from understudy.serve.rows import predict_rows

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; Debian and Ubuntu: apt-get install chromium")
PREDICT = "import('./assets/student.js').then(s => s.open('artifact/')).then(s => s.predict({}, {}))"


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Both packages, as npm installs them."""
    try:
        return install(tmp_path_factory.mktemp("npm"))
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def where(tmp_path_factory, modules):
    """The address of a folder of pages, one a task."""
    folder = tmp_path_factory.mktemp("pages")
    for which in TASKS:
        write_page(shipped(which, tmp_path_factory.mktemp(which)), modules, folder / which)
    with files_of(folder) as url:
        yield folder, url


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def asked(browser, rows, **wish):
    return browser.ask(PREDICT.format(json.dumps(rows), json.dumps(wish)))


def assert_alike(there, here):
    """Numbers nearly, everything else exactly."""
    assert list(there) == list(here)
    for name, value in here.items():
        lone = value is None or isinstance(value, str | bool)
        assert there[name] == (value if lone else pytest.approx(value, abs=1e-5, rel=1e-5)), name


@pytest.mark.parametrize("which", TASKS)
def test_it_answers_as_predict_does(browser, where, which):
    folder, url = where
    browser.open(f"{url}{which}/")
    rows, artifact = rows_of(which), Artifact(folder / which / "artifact")
    wish = Wish(coverage=0.8) if artifact.contract.confidence else Wish()
    # One at a time: what is written beside words is read as words, in a column of a file and of a request.
    expected = [predict_rows(artifact, Question([row], wish=wish), on_error="fail")["predictions"][0] for row in rows]
    found = asked(browser, rows, coverage=wish.coverage)
    assert (which in ("number", "class", "bag", "choice")) == bool(wish.coverage)
    for there, here in zip(found, expected, strict=True):
        assert_alike(there, here)
    assert browser.complaints() == []
    assert all(each.startswith(url) for each in browser.asked())


def test_it_abstains(browser, where):
    _, url = where
    browser.open(f"{url}class/")
    assert asked(browser, [{"said": "a"}], min_confidence=0.999)[0]["prediction"] is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"age": 1}, "modality 'facts' needs the missing column town"),
        ({"other": 1}, "this student reads n0, n1, n2, list, age, town, steps, said"),
        ({"n0": 1, "n1": "2", "n2": 2}, "column 'n1': no number given"),
        ({"age": "1,5", "town": "Ulm"}, "column 'age': '1,5' is not a number"),
        ({"n0": 1e39, "n1": 1, "n2": 2}, "column 'n0': infinite or beyond 3.4e+38"),
        ({"list": [1]}, "column 'list': a vector of 1 numbers; expected 2"),
        ({"steps": [[1]]}, "column 'steps': expected lists of 2 numbers"),
        ({"steps": 3}, "column 'steps': no list given"),
    ],
)
def test_what_is_wrong_is_said(browser, where, row, said):
    _, url = where
    browser.open(f"{url}number/")
    found = browser.ask(PREDICT.format(json.dumps([row]), "{}") + ".catch(error => error.message)")
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file["model"]["vocab"].update({"a": 7}), "a browser reads 'one of many words"),
        (lambda file: file.update(normalizer={"type": "Nmt"}), "a browser cannot read the student's tokenizer: Unknown"),
    ],
)
def test_a_tokenizer_that_a_browser_reads_otherwise_answers_nothing(browser, where, tmp_path, modules, change, said):
    folder, _ = where
    write_page(folder / "class" / "artifact", modules, tmp_path / "page")
    path = tmp_path / "page" / "artifact" / "said-tokenizer.json"
    file = json.loads(path.read_text())
    change(file)
    path.write_text(json.dumps(file))
    with files_of(tmp_path) as url:
        browser.open(f"{url}page/")
        found = browser.ask(PREDICT.format(json.dumps([{"said": "a"}]), "{}") + ".catch(error => error.message)")
    assert found.startswith(said)


def test_people_type_and_read(browser, where):
    folder, url = where
    browser.open(f"{url}class/", width=390, height=844, dark=True)
    browser.ask("document.querySelector('textarea').value = 'a naïve cat'")
    browser.ask("document.querySelector('form').requestSubmit()")
    browser.wait("document.querySelector('output .answer, output .wrong') !== null")
    row = predict_rows(Artifact(folder / "class" / "artifact"), Question([{"said": "a naïve cat"}]), on_error="fail")
    assert browser.ask("document.querySelector('output .answer').textContent") == row["predictions"][0]["prediction"]
    assert browser.ask("document.documentElement.scrollWidth") == 390
    assert browser.ask("document.querySelector('#curl')") is None
    assert "what is typed goes nowhere" in browser.ask("document.querySelector('footer').textContent")
    browser.ask("document.querySelector('#card').open = true")
    browser.wait("document.querySelector('#card pre').textContent.startsWith('# class')")
    assert browser.complaints() == []
    assert all(each.startswith(url) for each in browser.asked())


def test_the_page_has_the_views_that_it_is_made_for():
    there = re.search(r"^const VIEWS = {(.*)};$", (FOLDER / "views.js").read_text(), re.MULTILINE)[1]
    assert re.findall(r"(\w+): ", there) == [*VIEWS]
    assert set(VIEWS) <= set(catalogue.VIEWS)


def test_what_no_page_can_do_is_refused(tmp_path, modules):
    pictures = write_artifact(tmp_path / "pictures", classes=True, names=("few", "picture"), name="pictures")
    with pytest.raises(ValueError, match="the student reads picture, image that Image prepares; a page prepares numbers"):
        write_page(pictures, modules, tmp_path / "page")
    with pytest.raises(FileNotFoundError, match=r"lacks onnxruntime-web@.*npm install --prefix .* onnxruntime-web@"):
        write_page(pictures, tmp_path / "node_modules", tmp_path / "page")
    assert not (tmp_path / "page").exists()
