"""Share: which part of a long job is this machine's, or this process's, of several. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Every `of`-th piece from the `index`-th on (from 0)."""

    index: int = 0
    of: int = 1

    @staticmethod
    def parse(text: str) -> "Share":
        """Of `2/4`; all of it where it is empty."""
        index, _, of = (text or "1/1").partition("/")
        if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
            raise ValueError(f"shard {text!r} given; expected which of how many, such as 1/4, and so on to 4/4")
        return Share(int(index) - 1, int(of))

    def has(self, number: int) -> bool:
        """Whether the piece of that number is in it."""
        return number % self.of == self.index

    def part(self, index: int, of: int) -> "Share":
        """One process's of several that divide this share."""
        return Share(self.index + index * self.of, self.of * of)

    def within(self, other: "Share") -> bool:
        """Whether all of its pieces are the other's, too."""
        return self.of % other.of == 0 and other.has(self.index)

    @property
    def slice(self) -> slice:
        """Its pieces among all."""
        return slice(self.index, None, self.of)

    @property
    def name(self) -> str:
        """Of a folder: `2-of-4`."""
        return f"{self.index + 1}-of-{self.of}"

    @staticmethod
    def named(name: str) -> "Share":
        """The share that is so called."""
        return Share.parse(name.replace("-of-", "/"))


ALL = Share()
