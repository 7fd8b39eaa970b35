"""A real browser on the built site, with the network off: every request that is not to the site itself is a failure."""

import functools
import http.server
import os
import threading
import time

import pytest
from built_site import DESK, FLAGS, HTML, NO_CHROMIUM, NO_SITE, find_chromium, pages


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    if not (HTML / "index.html").exists():
        pytest.exit(NO_SITE, returncode=1)


def pytest_generate_tests(metafunc):
    """A test with the argument `page_name` runs on every page of the site."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", pages())


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            pytest.exit(NO_CHROMIUM, returncode=1)
        sandbox = [] if hasattr(os, "geteuid") and os.geteuid() else ["--no-sandbox"]  # root has no sandbox
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS + sandbox)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site_url():
    """The site from a server on a free port, without a slash at the end."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # a page that is left while it loads closes its connection

    with Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def file_url():
    """The site from the disk, without a slash at the end."""
    return HTML.as_uri()


@pytest.fixture(params=["server", "file"])
def root_url(request, site_url, file_url):
    """Both ways to read the site."""
    return {"server": site_url, "file": file_url}[request.param]


class Visit:
    """A tab that notes what should not happen: foreign requests, failed requests, page errors, console errors."""

    def __init__(self, browser, roots, **options):
        self.roots = roots
        self.context = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
        self.complaints = []
        self.context.route("**/*", self._answer)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("console", self._hear)
        self.page.on("response", self._judge)

    def _answer(self, route):
        url = route.request.url
        if url.startswith((*self.roots, "data:", "blob:", "about:")):
            route.continue_()
        else:
            self.complaints.append(f"foreign request: {url}")
            route.abort()

    def _judge(self, response):
        if response.status >= 400:
            self.complaints.append(f"status {response.status}: {response.url}")

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def open(self, url):
        """Go to the address and wait until scripts and maths have done their work."""
        self.page.goto(url, wait_until="load")
        self.page.wait_for_function(
            "() => !window.MathJax || !document.querySelector('.math') ||"
            " (MathJax.startup && MathJax.startup.promise"
            " && (window.__typeset ??= (MathJax.startup.promise.then(() => (window.__ready = true)), true))"
            " && window.__ready)"
        )
        return self.page

    def hears(self, complaint, seconds=20):
        """Whether such a complaint comes, soon or later."""
        end = time.monotonic() + seconds
        while not any(complaint in told for told in self.complaints) and time.monotonic() < end:
            self.page.wait_for_timeout(20)  # the browser's messages come meanwhile
        return any(complaint in told for told in self.complaints)

    def close(self):
        self.context.close()


@pytest.fixture
def visit(browser, site_url, file_url):
    """`visit(theme="dark", viewport=PHONE)` gives a Visit; what it complains about fails the test at its end."""
    opened = []

    def make(theme="light", **options):
        made = Visit(browser, (site_url, file_url), color_scheme=theme, **options)
        made.context.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
        )
        opened.append(made)
        return made

    yield make
    complaints = [complaint for made in opened for complaint in made.complaints]
    for made in opened:
        made.close()
    assert not complaints, "\n".join(complaints)
