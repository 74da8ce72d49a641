"""Profiles: how large a run is, and whether its numbers are results that may be judged."""

PROFILES = ("book", "smoke", "paper")
JUDGED = ("book", "paper")  # sizes on which a verdict may rest


def notice(profile: str) -> str:
    """What a reader must know of numbers of these sizes; empty where they are results."""
    if profile in JUDGED:
        return ""
    return (
        f"Made with {profile} sizes, to see that everything runs: these numbers are not results, and nothing is judged."
    )
