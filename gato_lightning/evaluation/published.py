"""What others have published, to stand beside our scores; on tasks, data and references of their own."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A figure of a paper.

    Args:
        system: whose it is, with its size.
        domain: as here; `all` for all of the system's control tasks.
        measure: what is counted.
        value: as printed.
        source: where it stands.
    """

    system: str
    domain: str
    measure: str
    value: str
    source: str


GATO = "Reed et al. 2022, A Generalist Agent"
DB1 = "Digital Brain Laboratory 2022, DB1"
JAT = "Gallouédec et al. 2024, Jack of All Trades"

PUBLISHED = (
    Published("Gato 1.18B", "all", "tasks above 50% of expert", "over 450 of 604", f"{GATO}, section 4.1"),
    Published("Gato 1.18B", "metaworld", "tasks above 50% of expert", "44 of 45", f"{GATO}, section 4.1"),
    Published("Gato 1.18B", "metaworld", "tasks above 80% of expert", "35 of 45", f"{GATO}, section 4.1"),
    Published("Gato 1.18B", "babyai", "tasks above 80% of expert", "nearly all levels", f"{GATO}, section 4.1"),
    Published("Gato 1.18B", "atari", "games at the mean human score or above", "23 of 51", f"{GATO}, section 4.1"),
    Published("DB1 1.2B", "all", "tasks above 50% of expert", "76% of 870", DB1),
    Published("JAT 192M", "babyai", "interquartile mean", "0.99", JAT),
    Published("JAT 192M", "metaworld", "interquartile mean", "0.65", JAT),
    Published("JAT 192M", "mujoco", "interquartile mean", "0.85", JAT),
    Published("JAT 192M", "atari", "interquartile mean", "0.14", JAT),
)


def of_domains(domains: Collection[str]) -> list[Published]:
    """The figures of these domains."""
    return [one for one in PUBLISHED if one.domain in domains]
