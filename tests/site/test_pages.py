"""Laws of every page: complete without a network, readable by all, legible in light, dark, narrow and on paper."""

import json
import os
import re
import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from built_site import HTML, PHONE, ROOT, page_url

sys.path.insert(0, str(ROOT / "_ext"))

import entries

AXE = Axe()
AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False}  # preloading asks for style sheets at wrong addresses
DOCUMENTS = re.findall(r"^[\s-]*(?:file|root):\s*(\S+)", (ROOT / "_toc.yml").read_text("utf8"), re.M)
CHAPTERS = [name for name in DOCUMENTS if name.startswith("chapters/")]
GENERATED = ("genindex.html", "search.html")


def test_the_site_has_every_page_of_the_contents():
    assert len(DOCUMENTS) > 5
    assert [name for name in DOCUMENTS if not (HTML / f"{name}.html").exists()] == []


def violations(page):
    """What axe finds on the page, as sentences."""
    return [
        f"{one['id']} ({one['impact']}): {one['help']}\n    "
        + "\n    ".join(f"{node['target']}: {node['html'][:160]}" for node in one["nodes"][:4])
        for one in AXE.run(page, options=AXE_OPTIONS).response["violations"]
    ]


def unset_maths(page):
    """Formulas that are written in the page and not set, or set as an error."""
    written = page.locator("span.math, div.math").count()
    if page.locator("mjx-container").count() < written:
        yield f"{written} formulas, {page.locator('mjx-container').count()} set"
    for error in page.locator("mjx-merror, [data-mjx-error]").all():
        yield f"error in a formula: {error.get_attribute('data-mjx-error')}"


def alt_flaws(images):
    """Sentences about images [(alt, src)] whose alt text says nothing."""
    for alt, src in images:
        if alt is None or len(alt.strip()) < 20:
            yield f"{src}: the alt text {alt!r} is shorter than 20 characters"
        elif re.fullmatch(r"\S+", alt.strip()) or re.search(r"\.(png|svg|jpe?g|gif)$", alt.strip()):
            yield f"{src}: the alt text {alt!r} is a file name"


def test_page_from_a_server(page_name, site_url, visit):
    """In light: nothing foreign and no error (`visit` sees to it), maths set, axe content, pictures described."""
    page = visit("light").open(page_url(site_url, page_name))
    assert page.title().strip()
    assert page.locator("article h1").count() == 1 or page_name in GENERATED
    assert page.locator("link[rel~=icon]").count() == 1
    assert list(unset_maths(page)) == []
    images = page.evaluate("[...document.images].map(i => [i.getAttribute('alt'), i.getAttribute('src')])")
    assert list(alt_flaws(images)) == []
    assert page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)") == []
    assert "\n".join(violations(page)) == ""


def test_page_from_the_disk(page_name, file_url, visit):
    """The same page from a folder: nothing foreign, no error, maths set."""
    page = visit("light").open(page_url(file_url, page_name))
    assert list(unset_maths(page)) == []


def test_page_in_the_dark(page_name, site_url, visit):
    """axe content, and each drawn figure on a light card: dark lines would vanish on the page itself."""
    page = visit("dark").open(page_url(site_url, page_name))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for image in page.locator("article .cell_output img").all():
        background = image.evaluate("e => getComputedStyle(e).backgroundColor")
        assert background == "rgb(255, 255, 255)", f"{image.get_attribute('src')} lies on {background}"
        if image.is_visible():
            image.scroll_into_view_if_needed()
            ground, ink = image.evaluate(LUMINANCE)
            assert ground - ink > 60, image.get_attribute("src")
    assert "\n".join(violations(page)) == ""


def test_page_on_a_phone(page_name, site_url, visit):
    """Nothing scrolls sideways but what scrolls inside itself, and that can be reached with the keyboard."""
    page = visit(viewport=PHONE).open(page_url(site_url, page_name))
    assert settled(page, TOO_WIDE) == []
    assert settled(page, UNREACHABLE) == []


def settled(page, script, seconds=10):
    """What the script finds once the page has seen what changed: nothing, or what is still there after so long."""
    end = time.monotonic() + seconds
    while (found := page.evaluate(script)) and time.monotonic() < end:
        page.wait_for_timeout(20)
    return found


FORMULAS_ON_THE_WAY = """() => [...document.querySelectorAll("mjx-container")]
    .filter((e) => e.tabIndex >= 0 && e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)
    .map((e) => e.outerHTML.slice(0, 120))"""


def test_the_tab_key_does_not_stop_at_formulas_nor_at_buttons_that_copy_outputs(visit, site_url):
    page = visit().open(f"{site_url}/{CHAPTERS[0]}.html")
    assert page.query_selector("mjx-container")
    assert settled(page, FORMULAS_ON_THE_WAY) == []
    assert page.query_selector(".cell_input .copybtn")
    assert not page.query_selector(".output .copybtn")


TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("article *")]
        .filter((e) => e.getBoundingClientRect().right > width + 1)
        .slice(0, 5).map((e) => e.outerHTML.slice(0, 120)).concat(["the page"]);
}"""

UNREACHABLE = """() => [...document.querySelectorAll("article pre, article .table-scroll, article div.math")]
    .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto")
    .filter((e) => e.tabIndex < 0 && !e.querySelector("a[href], [tabindex='0']"))
    .map((e) => e.outerHTML.slice(0, 120))"""

# The middle and the darkest of a picture's points, with the card that it lies on.
LUMINANCE = """(image) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 512;
    const pen = canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(image).backgroundColor;
    pen.fillRect(0, 0, 512, 512);
    pen.drawImage(image, 0, 0, 512, 512);
    const data = pen.getImageData(0, 0, 512, 512).data, values = [];
    for (let i = 0; i < data.length; i += 4)
        values.push(0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2]);
    values.sort((a, b) => a - b);
    return [values[Math.floor(values.length / 2)], values[0]];
}"""


# ---- the checks above bite ------------------------------------------------------------------------------------------


def add(page, html):
    page.evaluate("html => document.querySelector('article').insertAdjacentHTML('beforeend', html)", html)


def test_maths_would_be_missed(visit, site_url):
    page = visit().open(f"{site_url}/reference/notation.html")
    assert page.locator("mjx-container").count() > 50
    add(page, '<span class="math">x</span>')
    assert list(unset_maths(page))


def test_axe_finds_an_unlabelled_slider_and_a_picture_without_alt_text(visit, site_url):
    page = visit().open(f"{site_url}/index.html")
    assert violations(page) == []
    add(page, '<img src="_static/favicon.svg"><input type="range">')
    found = "".join(violations(page))
    assert "image-alt" in found
    assert "label" in found


@pytest.mark.parametrize("alt", [None, "", "a curve", "_images/0123456789abcdef.png", "chapter_04_sigmoid_and_slope"])
def test_an_alt_text_that_says_nothing_is_found(alt):
    assert list(alt_flaws([(alt, "x.png")]))


def test_a_wide_element_and_an_unreachable_one_are_found(visit, site_url):
    page = visit(viewport=PHONE).open(f"{site_url}/index.html")
    assert page.evaluate(TOO_WIDE) == []
    add(page, '<div style="width: 900px">wide</div>')
    assert page.evaluate(TOO_WIDE)
    add(page, '<div class="math" style="overflow-x: auto; width: 50px"><div style="width: 200px">x</div></div>')
    assert settled(page, UNREACHABLE) == []  # course.js has seen it
    without = "for (const e of document.querySelectorAll('article [tabindex]')) e.removeAttribute('tabindex')"
    assert page.evaluate(f"() => {{ {without}; return ({UNREACHABLE})(); }}")  # before course.js sees it again


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ('<img alt="" src="https://example.org/x.png">', "foreign request: https://example.org/x.png"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "foreign request"),
        ('<img alt="" src="missing.png">', "status 404"),
    ],
)
def test_a_foreign_or_a_missing_file_is_noticed(html, complaint, visit, site_url):
    tab = visit()
    page = tab.open(f"{site_url}/index.html")
    add(page, html)
    assert tab.hears(complaint)
    tab.complaints.clear()


@pytest.mark.parametrize("script", ["setTimeout(() => { throw new Error('planted') })", "console.error('planted')"])
def test_an_error_in_a_script_is_noticed(script, visit, site_url):
    tab = visit()
    page = tab.open(f"{site_url}/index.html")
    page.evaluate(f"() => {{ {script} }}")
    assert tab.hears("planted")
    tab.complaints.clear()


# ---- what a reader does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", CHAPTERS)
def test_a_chapter_offers_its_notebook(document, site_url, visit):
    page = visit().open(page_url(site_url, f"{document}.html"))
    links = page.locator("a[href$='.ipynb']")
    assert links.count() >= 1
    target = links.first.evaluate("a => a.href")
    notebook = page.context.request.get(target)
    assert notebook.ok
    assert json.loads(notebook.text())["cells"] == json.loads((ROOT / f"{document}.ipynb").read_text("utf8"))["cells"]


def test_a_reader_goes_through_the_book_by_next_and_back_by_previous(site_url, visit):
    page = visit().open(f"{site_url}/index.html")
    seen = ["index"]
    while page.locator("a.right-next").count():
        page = page_after(page, "a.right-next", site_url)
        seen.append(page.url.removeprefix(f"{site_url}/").split(".html")[0])
        assert len(seen) <= len(DOCUMENTS)
    assert seen == DOCUMENTS
    while page.locator("a.left-prev").count():
        page = page_after(page, "a.left-prev", site_url)
        seen.pop()
    assert page.url.startswith(f"{site_url}/index.html")
    assert seen == ["index"]


def page_after(page, link, site_url):
    page.goto(page.locator(link).first.evaluate("a => a.href"))
    return page


@pytest.mark.parametrize(
    ("term", "where"),
    [
        ("subgradient", "Glossary"),
        ("straight-through", "Glossary"),
        ("Bengio", "Errata"),
        ("elementwise", "Building networks"),
        ("half-plane", "Glossary"),
        ("relu", "relu"),
        ("he_normal", "he_normal"),
        ("softmax_cross_entropy", "softmax_cross_entropy"),
    ],
)
def test_search_finds(term, where, root_url, visit):
    page = visit().open(f"{root_url}/search.html?q={term}")
    page.wait_for_selector("#search-results ul.search li", timeout=10_000)
    page.wait_for_function("!document.querySelector('#search-progress')?.innerText.includes('...')")
    titles = page.locator("#search-results ul.search li > a").all_inner_texts()
    assert any(where in title for title in titles), titles


@pytest.mark.parametrize("document", entries.PAGES)
def test_the_search_knows_each_entry_of_the_library_by_its_title(document):
    """Sphinx's search looks through `alltitles`: title -> [[number of the document, anchor], ...]."""
    text = (HTML / "searchindex.js").read_text("utf8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    number = index["docnames"].index(f"reference/api/{document}")
    names = re.findall(r"^## (\w+)$", "\n".join(entries.PAGES[document]()), re.MULTILINE)
    page = (HTML / f"reference/api/{document}.html").read_text("utf8")
    assert len(names) > 10
    for name in names:
        anchors = [anchor for where, anchor in index["alltitles"][name] if where == number]
        assert anchors, f"a search for {name} does not lead to its entry"
        assert all(f'id="{anchor}"' in page for anchor in anchors)


@pytest.mark.parametrize("document", CHAPTERS)
def test_search_finds_the_chapter_by_its_title(document, root_url, visit):
    title = re.search(r"<title>\s*(.*?)\s*(&|—|\u2014|<)", (HTML / f"{document}.html").read_text("utf8"))[1]
    page = visit().open(f"{root_url}/search.html?q={title}")
    page.wait_for_selector(f"#search-results ul.search li a[href*='{document}.html']", timeout=10_000)


def test_search_finds_nothing_for_nonsense(site_url, visit):
    page = visit().open(f"{site_url}/search.html?q=qwzxv")
    page.wait_for_function("document.querySelector('#search-results').innerText.includes('did not match')")


def test_no_dead_link_within_the_site():
    """Every link of every page leads to a file of the site, and to an anchor that is there."""
    anchors, links = {}, []
    for page in HTML.rglob("*.html"):
        if "_static" in page.parts:
            continue
        text = page.read_text("utf8")
        anchors[page.resolve()] = set(re.findall(r'\bid="([^"]+)"', text)) | set(re.findall(r'\bname="([^"]+)"', text))
        links += [(page, link) for link in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text)]
    dead = []
    for page, link in links:
        if re.match(r"[a-z]+:", link) or link in ("#", ""):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path.split("?")[0]).resolve() if path else page.resolve()
        if not target.exists() or (anchor and target in anchors and anchor not in anchors[target]):
            dead.append(f"{page.relative_to(HTML)}: {link}")
    assert len(links) > 500
    assert sorted(set(dead)) == []


def test_without_an_address_there_is_no_link_to_a_repository():
    if os.environ.get("REPOSITORY_URL"):
        pytest.fail("run the site tests on a site that was built without REPOSITORY_URL")
    for page in HTML.rglob("*.html"):
        text = page.read_text("utf8")
        assert "mybinder.org" not in text
        assert "colab.research" not in text


def test_on_paper_the_text_stands_alone(site_url, visit):
    page = visit().open(f"{site_url}/reference/notation.html")
    page.emulate_media(media="print")
    for selector in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-area"):
        assert not page.locator(selector).first.is_visible()
    assert page.locator("h1:visible").count() == 1
    assert page.locator("article table").first.is_visible()
