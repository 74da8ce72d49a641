"""The book's scorecard, and the checks that its built pages must pass."""

import base64
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from wna_utils import claims, paths
from wna_utils.claims import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED

BADGES = {REPRODUCED: "success", PARTLY: "warning", NOT_REPRODUCED: "danger", NOT_TESTABLE: "secondary"}
HEAVIEST = 5_000_000  # bytes of a page


def write_scorecard(chapters: list[Path], target: Path) -> list[str]:
    """Write the scorecard that the book's first page includes; returns what is missing or left over in the ledger."""
    ledger, estimates = claims.ledger(), {}
    for chapter in chapters:
        estimates |= claims.recorded(nbformat.read(chapter, as_version=4))
    rows, verdicts = [], Counter()
    for claim in ledger.values():
        estimate = estimates.get(claim.id)
        verdict = claim.rule.verdict(estimate) if claim.rule and estimate else NOT_TESTABLE
        verdicts[verdict] += 1
        ours = claims.in_words(estimate, claim.unit) if estimate else claim.reason
        shown = f"{{numref}}`%s <{claim.figure}>`" if claim.figure else "–"
        rows.append(
            f"* - §{claim.section}, {claim.where}\n  - {claim.statement}\n  - {claim.paper}\n  - {ours}\n"
            f"  - {{bdg-{BADGES[verdict]}}}`{verdict}`\n  - {shown}\n"
        )
    summary = ", ".join(f"**{verdicts[verdict]}** {verdict}" for verdict in BADGES if verdicts[verdict])
    head = "* - Where\n  - Claim\n  - Paper\n  - Ours\n  - Verdict\n  - Figure\n"
    table = f":::{{list-table}}\n:header-rows: 1\n:class: scorecard\n\n{head}{''.join(rows)}:::\n"
    with paths.replacing(target) as temporary:
        temporary.write_text(f"Of {len(ledger)} claims: {summary}.\n\n{table}")
    unrecorded = [claim.id for claim in ledger.values() if claim.rule and claim.id not in estimates]
    return [f"no notebook records the claim {each}" for each in unrecorded]


def write_cover(chapter: Path, figure: str, target: Path) -> None:
    """Write the picture of the book's first page: the figure of this label, taken from an executed chapter."""
    [cell] = [
        cell
        for cell in nbformat.read(chapter, as_version=4).cells
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure
    ]
    [picture] = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    with paths.replacing(target) as temporary:
        temporary.write_bytes(base64.b64decode(picture))


def page_problems(site: Path) -> list[str]:
    """What is wrong with the built pages: errors shown, outside scripts, images without words, dead links, weight."""
    from bs4 import BeautifulSoup

    pages = {page: BeautifulSoup(page.read_text(), "html.parser") for page in sorted(site.rglob("*.html"))}
    pages = {page: soup for page, soup in pages.items() if "_static" not in page.relative_to(site).parts}
    anchors = {page: {tag["id"] for tag in soup.find_all(id=True)} for page, soup in pages.items()}
    found = []
    for page, soup in pages.items():
        found += [f"{page.relative_to(site)}: {problem}" for problem in _problems_of(page, soup, anchors)]
    return found


def _problems_of(page: Path, soup, anchors: dict[Path, set[str]]) -> list[str]:
    found = []
    article = soup.find("article") or soup
    text = article.get_text()
    if "Traceback (most recent call last)" in text or soup.select(".tag_papermill-error-cell-tag"):
        found.append("shows an error")
    if soup.select("article .output.stderr"):
        found.append("shows standard error")
    outside = [tag.get("src") or tag.get("href") for tag in soup.select("script[src], link[rel=stylesheet]")]
    found += [f"loads {link} from elsewhere" for link in outside if urlsplit(link).netloc]
    found += [f"image {tag.get('src', '')[:60]} has no alt text" for tag in soup.select("img") if not tag.get("alt")]
    weight = page.stat().st_size
    for tag in soup.select("img[src]"):
        image = page.parent / unquote(tag["src"])
        weight += image.stat().st_size if image.is_file() else 0
    if weight > HEAVIEST:
        found.append(f"weighs {weight / 1e6:.1f} MB")
    for tag in article.select("a[href]"):
        link = urlsplit(tag["href"])
        if link.scheme or link.netloc:
            continue
        target = (page.parent / unquote(link.path)).resolve() if link.path else page
        if not target.exists() or (link.fragment and target in anchors and link.fragment not in anchors[target]):
            found.append(f"dead link {tag['href']}")
    return found
