"""The page in a real browser: type, submit, read the answer; an error; the teacher beside; light, dark, a phone, keys alone."""

import json
import socket
import threading
from contextlib import contextmanager

import pytest
import uvicorn
from made_artifact import write_artifact
from PIL import Image, ImageStat

from browser import CHROMIUM, Browser
from understudy.artifact.contract import write_checksums
from understudy.serve import create_app

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; Debian and Ubuntu: apt-get install chromium")
ANSWERED = "document.querySelectorAll('output .answer, output .wrong, output .note').length >= {}"


@contextmanager
def serving(app):
    """Its address, while it is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_artifact(folder / "student", classes=True, names=("said", "facts"), name="student")
    (folder / "student" / "card.md").write_text("# student\n\n<b>Made</b> for tests.\n")
    scores = {"metric": "accuracy", "higher_is_better": True, "rows": 9, "scores": {"said+facts": 0.9, "said": 0.8, "facts": 0.5}}
    (folder / "student" / "missing.json").write_text(json.dumps(scores))
    write_checksums(folder / "student")
    write_artifact(folder / "teacher", classes=True, names=("said", "facts", "picture", "many"), name="teacher")
    write_artifact(folder / "number", classes=False, name="number")
    with serving(create_app([folder / "student", folder / "teacher", folder / "number"])) as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def text(browser, selector):
    return browser.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map(each => each.textContent)")


def box(column):
    return f"[...document.querySelectorAll('label')].find(each => each.dataset.columns === '[\"{column}\"]')"


def test_a_sample_is_answered_by_student_and_teacher(browser, where):
    browser.open(where)
    browser.ask("document.querySelector('form button').click()")
    browser.wait(ANSWERED.format(2))
    assert text(browser, "article h2") == ["student", "teacher"]
    assert text(browser, ".answer") == ["<b>yes", "<b>yes"]
    assert text(browser, "article:first-child .row span") == ["<b>yes", "100.0 %", "no", "0.0 %"]
    width = "document.querySelector('.bar div').getBoundingClientRect().width / document.querySelector('.bar').clientWidth"
    assert browser.ask(width) == pytest.approx(1, abs=0.01)
    assert "read by teacher" in " ".join(text(browser, "legend"))
    assert browser.complaints() == []
    assert all(url.startswith(where) for url in browser.asked())


def test_type_and_submit_by_keyboard_with_parts_missing(browser, where):
    browser.open(where)
    browser.ask("document.querySelector('#clear').click()")
    browser.ask("document.body.focus()")
    for _ in range(10):
        browser.press("Tab")
        if browser.ask("document.activeElement.tagName") == "TEXTAREA":
            break
    browser.type("it's fine")
    browser.press("Enter", modifiers=2)
    browser.wait(ANSWERED.format(4))
    assert text(browser, "article:first-child .row span") == ["no", "50.0 %", "<b>yes", "50.0 %"]
    assert text(browser, "article .note") == [
        "without facts: on test rows accuracy is 0.800 without, 0.900 with",
        "without facts, picture, many",
    ]
    shell = browser.ask("document.querySelector('#curl pre').textContent")
    assert shell.startswith("curl -s -H 'Content-Type: application/json' -d '")
    assert "it'\\''s fine" in shell
    assert shell.endswith(f"{where}v1/predict")


def test_what_is_wrong_is_said(browser, where):
    browser.open(where + "?model=number")
    assert text(browser, "h1") == ["number"]
    browser.ask("document.querySelector('#clear').click()")
    browser.ask(f"{box('list')}.querySelector('textarea').value = '1 2 x'")
    browser.ask("document.querySelector('form').requestSubmit()")
    browser.wait(ANSWERED.format(1))
    assert text(browser, ".wrong") == ["not a number: x"]
    browser.ask(f"{box('list')}.querySelector('textarea').value = '1 2'")
    browser.ask("document.querySelector('form').requestSubmit()")
    browser.wait("document.querySelector('.wrong')?.textContent.includes('a vector of 2 numbers')")


def test_a_file_is_dropped(browser, where):
    browser.open(where + "?model=teacher")
    drop = (
        "(async () => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 9;"
        "const blob = await new Promise(done => canvas.toBlob(done)); const data = new DataTransfer();"
        "data.items.add(new File([blob], 'photo.png', {type: 'image/png'}));"
        f"{box('picture')}.dispatchEvent(new DragEvent('drop', {{dataTransfer: data, bubbles: true, cancelable: true}})); }})()"
    )
    browser.ask("document.querySelector('#clear').click()")
    browser.ask(drop)
    browser.wait(f"{box('picture')}.querySelector('span').textContent === 'picture: photo.png'")
    browser.ask("document.querySelector('form').requestSubmit()")
    browser.wait(ANSWERED.format(2))
    assert text(browser, "article:first-child .row span")[:2] == ["no", "75.0 %"]
    assert text(browser, "article:last-child .note") == ["reads nothing of what is filled in"]
    assert "-F 'picture=@photo.png'" in browser.ask("document.querySelector('#curl pre').textContent")
    assert browser.complaints() == []


def test_the_card_is_text(browser, where):
    browser.open(where)
    browser.ask("document.querySelector('#card').open = true")
    browser.wait("document.querySelector('#card pre').textContent.includes('<b>Made</b> for tests.')")


@pytest.mark.parametrize(("dark", "shade"), [(False, range(200, 256)), (True, range(80))])
@pytest.mark.parametrize("path", ["", "docs"])
def test_light_and_dark_on_a_phone(browser, where, tmp_path, path, dark, shade):
    browser.open(where + path, width=390, height=844, dark=dark)
    assert browser.ask("document.documentElement.scrollWidth") == 390
    browser.shot(tmp_path / "shot.png")
    grey = ImageStat.Stat(Image.open(tmp_path / "shot.png").convert("L"))
    assert int(grey.median[0]) in shade
    assert grey.stddev[0] > 5
    assert browser.complaints() == []
