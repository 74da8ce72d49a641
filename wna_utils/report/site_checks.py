"""Checks that the built pages must pass before they are published."""

from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wna_utils.report import browser

HEAVIEST = 5_000_000  # bytes of a page


def page_problems(site: Path) -> list[str]:
    """What is wrong with the built pages.

    Bad HTML, errors shown, outside scripts, images without words, dead links, weight; and whatever they write to the
    console of a browser, if one is installed.
    """
    from bs4 import BeautifulSoup

    files = [page for page in sorted(site.rglob("*.html")) if "_static" not in page.relative_to(site).parts]
    pages = {page: BeautifulSoup(page.read_text(), "html.parser") for page in files}
    anchors = {page: {tag["id"] for tag in soup.find_all(id=True)} for page, soup in pages.items()}
    found = []
    for page, soup in pages.items():
        problems = _invalid_html(page.read_text()) + _problems_of(page, soup, anchors)
        found += [f"{page.relative_to(site)}: {problem}" for problem in problems]
    return found + ([f"in a browser: {each}" for each in browser.complaints(files)] if browser.find() else [])


def _invalid_html(text: str) -> list[str]:
    """Where the text is not HTML by the standard's parsing rules, and ids that stand twice."""
    import html5lib

    parser = html5lib.HTMLParser()
    tree = parser.parse(text)
    found = [f"bad HTML in line {line}: {code} {about}".strip() for (line, _), code, about in parser.errors]
    ids = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    return found + [f"the id {name} stands {n} times" for name, n in ids.items() if n > 1]


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
