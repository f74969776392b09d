#!/usr/bin/env bash
# tokenizers 0.23.3: `enable_truncation(max_length=8)` bounds what is returned first, not what is tokenised or kept.
#
# One would guess that a limit of 8 tokens makes a text of 100,000 words as cheap as one of 1,000. The whole text is tokenised, and
# what lies beyond the limit is kept as encodings of 8 tokens each in `overflowing`, though no stride was asked for. Seen: 249 and
# 24,999 such encodings, and processor time that grows with the text rather than with the limit. So whoever takes
# texts from strangers must cut them before the tokenizer sees them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tokenizers==0.23.3
"$work/venv/bin/python" - <<'PYTHON'
import time

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers

tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "word": 1, "##s": 2}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.enable_truncation(max_length=8)


def seconds(text: str) -> float:
    taken = []
    for _ in range(5):
        started = time.process_time()
        tokenizer.encode(text)
        taken.append(time.process_time() - started)
    return min(taken)


short, long = "words " * 1_000, "words " * 100_000
kept = [len(tokenizer.encode(text).overflowing) for text in (short, long)]
ratio = seconds(long) / seconds(short)
print(f"tokenizers {tokenizers.__version__}: 8 tokens asked for; encodings kept beyond them {kept}; time grew {ratio:.0f} times")
assert kept == [249, 24_999], "truncation no longer keeps what lies beyond the limit"
assert ratio > 10, "the time of a truncated text no longer grows with the text"
PYTHON
