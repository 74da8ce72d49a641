"""A banner on every page of a build whose numbers are not results; `python -m wna_utils pages` writes its text."""

from pathlib import Path


def show_banner(app, config) -> None:
    notice = Path(app.confdir) / "book" / "generated" / "notice.txt"
    if notice.exists() and (text := notice.read_text(encoding="utf-8")):
        config.html_theme_options["announcement"] = text


def setup(app) -> dict:
    app.connect("config-inited", show_banner)
    return {"parallel_read_safe": True}
