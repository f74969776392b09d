"""Estimate: how long the rest of a run takes, from what its trainings took so far."""

from dataclasses import dataclass, field


@dataclass
class Estimate:
    """`left`: system -> trainings to come. A system that was not trained yet is taken to last as long as the latest one."""

    left: dict[str, int]
    at_once: int = 1
    taken: dict[str, list[float]] = field(default_factory=dict)

    def after(self, system: str, seconds: float) -> str:
        """Note that one training took `seconds`; says how long it took, and what is left when that is half a minute or more."""
        self.skip(system)
        self.taken.setdefault(counted(system), []).append(seconds)
        means = {name: sum(times) / len(times) for name, times in self.taken.items()}
        rest = sum(count * means.get(name, seconds) for name, count in self.left.items()) / self.at_once
        left = f", about {rest / 60:.1f} minutes left" if rest >= 30 else ""
        return f"{seconds:.1f} s{left}"

    def skip(self, system: str) -> None:
        """One training less: it was done before."""
        self.left[counted(system)] -= 1


def counted(system: str) -> str:
    """What a training is counted under: `plain/search-0` for all settings of a round, `plain/search-0/3`."""
    return "/".join(system.split("/")[:2])
