"""The official VQA accuracy written out plainly, question by question: what the fast one is held to."""

import re

PUNCTUATION = [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!"]
DIGITS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
DIGITS |= {"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
ODD = {"somebody'd": "somebodyd", "let's": "let's", "she's": "she's"}
SINGLE = "aint arent cant couldve couldnt didnt doesnt dont hadnt hasnt havent hed hes howd howll hows isnt itd itll maam mightnt"
SINGLE += " mightve mustnt mustve neednt notve oclock oughtnt shant shouldve shouldnt somebodyll somebodys someoned someonell"
SINGLE += " someones somethingd somethingll thats thered therere theres theyd theyll theyre theyve twas wasnt weve werent whatll"
SINGLE += " whatre whats whatve whens whered wheres whereve whod wholl whos whove whyll whyre whys wont wouldve wouldnt yall youd"
SINGLE += " youll youre youve"
ENDINGS = ("nt", "ve", "ll", "re", "d", "s")
IRREGULAR = {"maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all"}
DOUBLE = "could n't 've|had n't 've|he 'd 've|it 'd 've|might n't 've|she 'd 've|should n't 've|somebody 'd 've|someone 'd 've"
DOUBLE += (
    "|something 'd 've|there 'd 've|they 'd 've|we 'd 've|who 'd 've|would n't 've|you 'd 've|y 'all 'll|y 'all 'd 've|'ow 's 'at"
)


def single(word: str) -> str:
    """Where the apostrophe of a contraction goes."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    ending = next(each for each in ENDINGS if word.endswith(each))
    return word[:-2] + "n't" if ending == "nt" else word[: -len(ending)] + "'" + ending


def contractions() -> dict[str, str]:
    found = {word: single(word) for word in SINGLE.split()} | ODD
    for parts in DOUBLE.split("|"):
        whole = parts.replace(" ", "")
        for at in (at for at, mark in enumerate(whole) if mark == "'"):
            found[whole[:at] + whole[at + 1 :]] = whole
    return found


CONTRACTIONS = contractions()


def punctuation(text: str) -> str:
    out = text
    for mark in PUNCTUATION:
        beside = any(mark + " " in text for _ in "x") or " " + mark in text
        out = out.replace(mark, "" if beside or re.search(r"(\d)(\,)(\d)", text) is not None else " ")
    return re.compile(r"(?!<=\d)(\.)(?!\d)").sub("", out, count=int(re.UNICODE))


def words(text: str) -> str:
    kept = [DIGITS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in kept if word not in ["a", "an", "the"])


def accuracy(prediction: str, references: list[str]) -> float:
    """Each of the ten left out in turn."""
    prediction = prediction.replace("\n", " ").replace("\t", " ").strip()
    references = [each.replace("\n", " ").replace("\t", " ").strip() for each in references]
    if len(set(references)) > 1:
        references = [words(punctuation(each)) for each in references]
        prediction = words(punctuation(prediction))
    shares = []
    for left_out in range(len(references)):
        others = references[:left_out] + references[left_out + 1 :]
        shares.append(min(1, sum(each == prediction for each in others) / 3))
    return sum(shares) / len(shares)
