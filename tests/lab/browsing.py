"""Using the page of the noise lab, for tests."""

import json

FEWER = 2_000  # images, the fewest that maps can be let grow to

# Collects what the page says that is not a result.
HEARD = """
window.heard = [];
addEventListener("DOMContentLoaded", () => {
  const note = () => document.querySelectorAll(".lab-status, .lab-says").forEach(({ textContent: text }) => {
    if (text && text !== "Loading …" && !text.startsWith("Done") && heard.at(-1) !== text) heard.push(text);
  });
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
});
"""


def says(tab, instrument, text):
    """Wait until an instrument says something that begins so."""
    place = f"document.querySelector('#lab-{instrument} .lab-said')"
    tab.wait_for_function(f"{place}.textContent.startsWith({json.dumps(text)})")


def button_says(tab, text):
    """Wait until the button of the maps that grow says so."""
    tab.wait_for_function(f"document.querySelector('#lab-maps .lab-start').textContent === '{text}'")


def counts_of(tab):
    """Images by label, as the maps that grow have them now."""
    return [int(count) for count in tab.get_attribute("#lab-maps .lab-said", "data-counts").split()]


def grow(tab, n=FEWER, noise="white"):
    """Let maps grow from nothing until n images are shown; counts by label."""
    tab.select_option("#lab-maps .lab-until", str(n))
    tab.select_option("#lab-maps .lab-noise", noise)
    says(tab, "maps", "Nothing shown yet")
    tab.click("#lab-maps .lab-start")
    says(tab, "maps", f"{n:,} images")
    return counts_of(tab)


def differ(counts, expected):
    """Share of labels that are other ones."""
    return sum(abs(a - b) for a, b in zip(counts, expected, strict=True)) / 2 / sum(counts)
