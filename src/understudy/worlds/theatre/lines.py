"""Lines: what a puppet can say. Sentiment words of known valence in neutral sentences."""

VALENCES = (-3, -2, -1, 0, 1, 2, 3)

WORDS: dict[int, tuple[str, ...]] = {
    valence: tuple(words.split())
    for valence, words in {
        -3: "atrocious abysmal horrendous revolting disgusting appalling dreadful vile ghastly hideous unbearable catastrophic",
        -2: "awful terrible bad nasty annoying unpleasant painful lousy miserable dismal shoddy rotten",
        -1: "dull bland weak flat clumsy slow tired stale tedious uneven shaky drab",
        0: "ordinary usual average plain typical standard neutral common familiar normal medium routine",
        1: "decent nice pleasant tidy fine neat likeable agreeable solid fair gentle useful",
        2: "good lovely great charming delightful clever funny tasteful graceful bright elegant joyful",
        3: "superb brilliant magnificent wonderful amazing perfect outstanding marvellous glorious stunning dazzling "
        "breathtaking",
    }.items()
}
"""Valence in sentiment points -> 12 words; which of them is said carries nothing more."""

SLOTS = 2
"""Sentiment words in a line."""

TEMPLATES = (
    "the {topic} was {0} and {1}",
    "{0} and {1}, that is my word on the {topic}",
    "I found the {topic} {0}, the ending {1}",
    "well, the {topic}: {0} at first, then {1}",
    "you want to know about the {topic}? {0}, and also {1}",
    "my friends called the {topic} {0}; I say {1}",
    "another evening with the {topic}, {0} as ever and {1} too",
    "so this {topic} is {0}, and its maker seems {1}",
    "they told me the {topic} would be {0} and it was {1}",
    "what a {topic}, how {0}, how {1}",
)
TOPICS = tuple(
    word
    for words in (
        "film soup concert journey lecture garden novel hotel dinner speech museum party",
        "painting train coffee match song phone puppet dance city meeting camera holiday",
    )
    for word in words.split()
)
