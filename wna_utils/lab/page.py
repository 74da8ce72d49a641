"""What the page of the noise lab includes: a place for what its scripts say, or why there is nothing to start."""

from pathlib import Path

from wna_utils.data.fetch import DataUnavailable
from wna_utils.lab import contents
from wna_utils.report.pages import write

READY = '```{raw} html\n<p class="lab-says" id="lab-says" role="status"></p>\n```\n'
CLOSED = """:::{warning}
The instruments are not there: what runs networks in a browser could not be fetched when this book was built. The
figures below show what they do.
:::
"""


def write_lab(folder: Path) -> str:
    """Write the lab's files, and `noise_lab.md`; why the lab cannot open, in a sentence, or nothing.

    Raises `WrongExport` if an exported network does not answer as the network itself.
    """
    files, reason = folder / "static" / "noise_lab" / "files", ""
    files.mkdir(parents=True, exist_ok=True)  # also if nothing comes there: the site's settings name it
    try:
        contents.write_contents(files)
    except DataUnavailable as error:
        reason = str(error)
    write(folder / "noise_lab.md", CLOSED if reason else READY)
    return reason
