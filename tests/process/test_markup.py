"""What a notebook shows: nothing of the data is taken for markup."""

from understudy.process.markup import shown


def test_everything_is_escaped_and_numbers_stand_to_the_right():
    page = shown("a < b", ("<i>", "n"), [("<script>", 1234), ("b", 0.5)], below=["c & d"])
    assert "<script>" not in page
    assert "<i>" not in page
    assert page.startswith("<p>a &lt; b</p><table>")
    assert '<td style="text-align: right">1,234</td>' in page
    assert '<td style="text-align: right">0.5000</td>' in page
    assert page.endswith("<ul><li>c &amp; d</li></ul>")
    assert shown("alone") == "<p>alone</p>"
