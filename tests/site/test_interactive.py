"""Interactive figures in a real browser, with no kernel and no network: moved by keyboard, compared with nnlib."""

import functools
import importlib
import json
import re

import numpy as np
import pytest
from built_site import HTML, PHONE, ROOT, page_url

from nnlib.activations import sigmoid
from nnlib.course.worked import two_two_two
from nnlib.layers import Activation, Dense
from nnlib.network import Sequential
from nnlib.widgets import Frame, Lines, Try, ask, choice, explore, figures_from_state, guess, play, slider

STATE = re.compile(r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', re.DOTALL)
VIEW = re.compile(r'<script type="application/vnd.jupyter.widget-view\+json">(.*?)</script>', re.DOTALL)
LIMIT = 1_000_000  # bytes of widget state on one page


def state_of(name):
    found = STATE.findall((HTML / name).read_text("utf8"))
    return found[0] if found else None


def pages_with(trait):
    """Pages whose widget state holds a model with this trait."""
    names = (path.relative_to(HTML).as_posix() for path in sorted(HTML.rglob("*.html")))
    return [name for name in names if "_static" not in name and f'"{trait}":' in (state_of(name) or "")]


@functools.cache
def figures(name):
    """The figures of a page from top to bottom; the saved state holds them in no order."""
    models = json.loads(state_of(name))["state"]

    def below(model):
        yield model
        for child in models[model]["state"].get("children", ()):
            yield from below(child.removeprefix("IPY_MODEL_"))

    views = [json.loads(view)["model_id"] for view in VIEW.findall((HTML / name).read_text("utf8"))]
    return [figure for view in views for figure in figures_from_state({model: models[model] for model in below(view)})]


def questions(name):
    """The guesses and typed answers of a page from top to bottom, each as the traits of its model."""
    models = json.loads(state_of(name))["state"]
    views = [json.loads(view)["model_id"] for view in VIEW.findall((HTML / name).read_text("utf8"))]
    return [models[view]["state"] for view in views if "question" in models[view]["state"]]


every_live_page = pytest.mark.parametrize("name", pages_with("frames"))
every_page_that_asks = pytest.mark.parametrize("name", pages_with("question"))


def settled(page):
    """Let the chart draw: it waits for the next frame of the screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def start(page):
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    settled(page)
    return page.query_selector_all(".sw-widget:has(.nn-chart)")


def seen(figure):
    """What eyes and what ears get."""
    return (
        figure.eval_on_selector(".nn-picture svg", "svg => svg.innerHTML"),
        figure.eval_on_selector(".nn-sentence", "p => p.textContent"),
    )


def walk(page, figure, control):
    """Move one control over its range by keyboard and back to where it stood; -> what was seen on the way."""
    kind = control.evaluate("e => e.type")
    out = [seen(figure)]

    def press(key, times=1):
        for _ in range(times):
            page.keyboard.press(key)
            settled(page)
            out.append(seen(figure))

    if kind == "range":
        control.focus()
        at, last = control.evaluate("e => [e.value, e.max].map(Number)")
        page.keyboard.press("Home")
        press("ArrowRight", last)
        assert control.evaluate("e => e.value === e.max"), "the arrow keys do not reach the end of the slider"
        page.keyboard.press("Home")
        press("ArrowRight", at)
    elif kind == "select-one":
        control.focus()
        at, count = control.evaluate("e => [e.selectedIndex, e.options.length]")
        page.keyboard.press("Home")
        press("ArrowDown", count - 1)
        page.keyboard.press("Home")
        press("ArrowDown", at)
    elif kind == "fieldset":
        checked = control.query_selector("input:checked")
        checked.focus()
        press("ArrowRight", len(control.query_selector_all("input")))  # once round
    elif kind == "button":
        control.focus()
        for _ in range(60):  # once round at most: neighboring frames may look alike
            press("Enter")
            if all(len(set(some)) > 1 for some in zip(*out, strict=True)):
                break
    else:
        raise AssertionError(f"a control of an unknown kind: {kind}")
    settled(page)
    return out


def controls(figure):
    return figure.query_selector(".nn-controls").query_selector_all('input[type="range"], select, fieldset, button')


def test_the_site_has_interactive_figures():
    assert pages_with("frames"), "no page of the site holds a figure"
    assert pages_with("question"), "no page of the site asks"


ANSWERS = {"diagnosis"}  # what the reader says of a picture: it is answered in words, and the picture stays


@every_live_page
def test_every_control_moves_picture_and_sentence_by_keyboard(name, root_url, visit):
    page = visit().open(page_url(root_url, name))
    live = start(page)
    assert len(live) == len(figures(name))
    for figure, saved in zip(live, figures(name), strict=True):
        found = controls(figure)
        kinds = [control.evaluate("e => e.type") for control in found]
        assert len([kind for kind in kinds if kind != "button"]) == len(saved.controls), saved.title
        labels = iter([control["label"] for control in saved.controls])
        for control, kind in zip(found, kinds, strict=True):
            pictures, sentences = zip(*walk(page, figure, control), strict=True)
            moves = kind == "button" or next(labels) not in ANSWERS
            assert (len(set(pictures)) > 1) == moves, f"{saved.title}: moving a {kind} never changes the picture"
            assert len(set(sentences)) > 1, f"{saved.title}: moving a {kind} never changes the sentence"
            assert set(sentences) <= set(saved.traits["texts"])


@every_live_page
def test_every_frame_on_the_page_is_what_nnlib_computes(name):
    for saved in figures(name):
        module, function = saved.function.split(":")
        assert module.startswith("nnlib."), f"{saved.title}: {saved.function} is not a function of nnlib"
        compute = getattr(importlib.import_module(module), function)
        count = 0
        for settings, panels, text in saved:
            found = saved.differences(settings, panels, text, compute(**settings))
            assert not found, "\n".join([saved.title, *found])
            count += 1
        assert count == len(saved.traits["frames"]) > 1


@every_live_page
def test_the_state_of_a_page_is_light(name):
    weight = len(state_of(name).encode())
    assert weight <= LIMIT, f"{name}: {weight / 1e6:.2f} MB of widget state"
    code = [m["state"]["_esm"] for m in json.loads(state_of(name))["state"].values() if "_esm" in m["state"]]
    sources = [source for source in code if isinstance(source, str)]
    assert len(sources) == len(set(sources)) <= 2, "the code of the charts and that of the questions stand there once"


@every_live_page
def test_figures_have_names_and_labels(name, site_url, visit):
    page = visit().open(page_url(site_url, name))
    for figure, saved in zip(start(page), figures(name), strict=True):
        named = figure.eval_on_selector(
            "svg[role=img]",
            "e => e.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent)",
        )
        assert named[0] == saved.title
        assert named[1] in saved.traits["texts"]
        assert figure.eval_on_selector(".nn-sentence", "e => e.getAttribute('aria-live')") == "polite"
        for control in figure.query_selector_all('input[type="range"], select'):
            assert control.evaluate("e => [...e.labels].map(l => l.textContent.trim()).join('')")
        for group in figure.query_selector_all("fieldset"):
            assert group.evaluate("e => e.querySelector('legend').textContent.trim()")


@every_live_page
def test_a_figure_fits_a_phone_and_its_text_can_be_read(name, site_url, visit):
    page = visit(viewport=PHONE).open(page_url(site_url, name))
    for figure in start(page):
        box = figure.query_selector(".nn-picture svg").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        shrunk = figure.eval_on_selector("svg", "s => s.getBoundingClientRect().width / s.viewBox.baseVal.width")
        smallest = figure.eval_on_selector_all(
            "svg text", "ts => Math.min(...ts.map(t => parseFloat(getComputedStyle(t).fontSize)))"
        )
        assert smallest * shrunk >= 10.5


@every_live_page
def test_without_javascript_the_still_stands_with_its_sentence(name, root_url, visit):
    made = visit(java_script_enabled=False)
    made.page.goto(page_url(root_url, name), wait_until="load")
    stills = made.page.query_selector_all(".sw-still:has(img)")
    assert len(stills) == len(figures(name))
    for still, saved in zip(stills, figures(name), strict=True):
        assert [li.text_content() for li in still.query_selector_all("li")] == [
            t["text"] for t in saved.traits["tries"]
        ]
        image = still.query_selector("img")
        image.scroll_into_view_if_needed()
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 300
        assert image.is_visible()
        sentence = still.query_selector("p").text_content()
        assert sentence in saved.traits["texts"]
        assert image.get_attribute("alt") == f"{saved.title}. {sentence}"


@every_live_page
def test_the_still_gives_way_to_the_live_figure_and_paper_shows_the_live_one(name, site_url, visit):
    page = visit("dark").open(page_url(site_url, name))
    start(page)
    page.emulate_media(media="print")
    settled(page)
    for figure in page.query_selector_all(".sw-widget:has(.nn-chart)"):
        assert figure.query_selector(".nn-picture svg").is_visible()
        ink = figure.eval_on_selector("svg text", "t => getComputedStyle(t).fill")
        assert sum(int(v) for v in re.findall(r"\d+", ink)[:3]) < 400, f"light ink on paper: {ink}"
    assert not any(still.is_visible() for still in page.query_selector_all(".sw-still:has(img)"))


def test_the_paths_to_each_weight_add_up_to_its_gradient(site_url, visit):
    """The figure of chapter 6, moved by keyboard, beside the gradient that nnlib's layers compute."""
    net = two_two_two()
    layers = [Dense(2, 2), Activation(sigmoid), Dense(2, 2), Activation(sigmoid)]
    network = Sequential(*layers, rng=np.random.default_rng(0), dtype=np.float64)
    network.theta[...] = np.concatenate([array.ravel() for array in (net.W1, net.b1, net.W2, net.b2)])
    network.backward(network.forward(net.x) - net.target)
    (dW1, dW2) = (layers[k].W.grad for k in (0, 2))
    names = [f"w{k}" for k in range(1, 9)]
    wanted = dict(zip(names, [*dW1.T.ravel(), *dW2.T.ravel()], strict=True))

    name = "chapters/06_backpropagation.html"
    page = visit().open(page_url(site_url, name))
    titles = [saved.title for saved in figures(name)]
    figure = start(page)[titles.index("Along which paths does the loss reach a weight?")]
    select = figure.query_selector(".nn-controls select")
    select.focus()
    page.keyboard.press("Home")
    for k, (weight, gradient) in enumerate(wanted.items()):
        if k:
            page.keyboard.press("ArrowDown")
        settled(page)
        assert shown_settings(figure)[0] == weight
        sentence = seen(figure)[1].replace("\N{MINUS SIGN}", "-")
        products = [float(number) for number in re.findall(r"= (-?[\d.]+\d)\.", sentence)]
        measured = float(re.search(r"measures (-?[\d.]+\d)\.", sentence)[1])
        assert len(products) == (2 if weight in ("w1", "w2", "w3", "w4") else 1)
        assert abs(sum(products) - gradient) < 1e-9
        assert abs(measured - gradient) < 1e-8


@every_live_page
def test_each_try_shows_its_frame_and_the_code_of_a_frame_makes_it(name, root_url, visit):
    page = visit().open(page_url(root_url, name))
    for figure, saved in zip(start(page), figures(name), strict=True):
        frames = {tuple(settings.values()): text for settings, _, text in saved}
        buttons = figure.query_selector_all(".nn-tries button")
        assert [button.text_content() for button in buttons] == [one["text"] for one in saved.traits["tries"]]
        for button, one in zip(buttons, saved.traits["tries"], strict=True):
            button.press("Enter")
            settled(page)
            assert button.get_attribute("aria-pressed") == "true"
            values = [control["values"][at] for control, at in zip(saved.controls, one["place"], strict=True)]
            assert seen(figure)[1] == frames[tuple(values)]
            assert shown_settings(figure) == [
                control["labels"][at] for control, at in zip(saved.controls, one["place"], strict=True)
            ]
        assert frame_from_code(figure).text == seen(figure)[1]


def shown_settings(figure):
    """What the controls say, in their order."""
    return figure.eval_on_selector_all(
        ".nn-controls :is(.sw-value, select, input:checked)",
        "es => es.map(e => e.tagName === 'SELECT' ? e.selectedOptions[0].textContent :"
        " e.tagName === 'INPUT' ? e.nextElementSibling.textContent : e.textContent)",
    )


def frame_from_code(figure):
    """The Frame that the code below the figure makes."""
    *imports, line = figure.eval_on_selector(".nn-python code", "e => e.textContent").splitlines()
    space = {}
    exec("\n".join(imports), space)
    return eval(line, space)


@every_live_page
def test_the_address_names_the_state_of_a_figure_and_brings_it_back(name, root_url, visit):
    url = page_url(root_url, name)
    page = visit().open(url)
    figure = start(page)[-1]  # far down the page
    before = seen(figure)
    figure.query_selector('.nn-controls :is(input[type="range"], select, input:checked)').focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.hash.includes('?')")
    moved, settings, address = seen(figure), shown_settings(figure), page.url
    assert moved != before
    assert address.startswith(f"{url}#fig-")
    other = visit().open(address)
    again = start(other)[-1]
    assert shown_settings(again) == settings
    assert [re.sub(r"nn\w+-nn", "nn", what) for what in seen(again)] == [
        re.sub(r"nn\w+-nn", "nn", what) for what in moved
    ]
    assert again.evaluate("e => { const r = e.getBoundingClientRect(); return r.top < innerHeight && r.bottom > 0 }")


# Guesses and typed answers


@every_page_that_asks
def test_a_question_is_readable_without_javascript(name, root_url, visit):
    made = visit(java_script_enabled=False)
    made.page.goto(page_url(root_url, name), wait_until="load")
    texts = made.page.query_selector_all(".sw-question")
    assert len(texts) == len(questions(name))
    for text, asked in zip(texts, questions(name), strict=True):
        assert text.is_visible()
        assert asked["question"].replace("`", "") in text.inner_text().replace("\n", " ")
        answer = asked["content"]["shown"] if asked["kind"] == "number" else asked["content"]["result"]
        folded = text.query_selector("details")
        assert (asked["kind"] == "number") == (folded is not None)
        if folded:
            assert answer not in folded.inner_text(), "the answer of a typed question is not to be read at a glance"
            folded.query_selector("summary").click()
        assert answer in text.inner_text()


@every_page_that_asks
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_paper_a_question_has_room_and_its_answer_at_the_end(name, theme, site_url, visit):
    page = visit(theme).open(page_url(site_url, name))
    start(page)
    assert not page.locator(".sw-question").first.is_visible()
    page.emulate_media(media="print")
    settled(page)
    assert not any(live.is_visible() for live in page.query_selector_all(".nn-question"))
    for text, asked in zip(page.query_selector_all(".sw-question"), questions(name), strict=True):
        assert text.is_visible()
        ink = text.eval_on_selector(".nn-ask", "e => getComputedStyle(e).color")
        assert sum(int(v) for v in re.findall(r"\d+", ink)[:3]) < 300, f"light ink on paper: {ink}"
        shown = asked["content"]["shown"] if asked["kind"] == "number" else asked["content"]["result"]
        assert shown in text.query_selector(".nn-answer").inner_text()


@every_page_that_asks
def test_a_question_fits_a_phone(name, site_url, visit):
    page = visit(viewport=PHONE).open(page_url(site_url, name))
    start(page)
    for live in page.query_selector_all(".nn-question"):
        box = live.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert live.evaluate("e => e.scrollWidth <= e.clientWidth")
        for button in live.query_selector_all("button:not([hidden]), input:not([type=range])"):
            assert button.bounding_box()["height"] >= 30


def a_choice():
    return guess(
        "Which `unit` is <larger>?",
        ["o1", "o2.", "neither"],
        answer="o1",
        result="It is 0.1385.",
        reasons={"o2.": "Its sign is negative.", "neither": "They differ."},
    )


def a_range():
    return guess("What share?", (0, 100), unit="%", answer=61.3, result="So it is.", reasons={"low": "Bolder!"})


def a_number(**options):
    given = {"tolerance": 0.005, "wrong": {0.36: "That is its square."}, "way": "3 of 5"}
    return ask("Which part?", 0.6, **(given | options))


def asked(tab, path, *made, **options):
    page = tab(**options)
    page.goto(write_page(path / "asked.html", *made))
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    return page


def told(page):
    return page.locator(".nq-said").inner_text().replace("\n\n", " ")


def test_a_guess_shows_its_result_beside_it_and_remembers_it(tab, tmp_path):
    page = asked(tab, tmp_path, a_choice())
    assert page.get_by_role("group", name="Which unit is <larger>?").is_visible()
    said = page.locator(".nq-said")
    assert said.get_attribute("role") == "status"
    assert told(page) == ""
    assert "0.1385" not in page.locator("body").inner_text()
    assert "negative" not in page.locator("body").inner_text()
    page.get_by_role("button", name="o2.").press("Enter")
    assert told(page) == "It is 0.1385. You guessed “o2”. Its sign is negative."
    assert page.get_by_role("button", name="o2.").inner_text().split("\n") == ["o2.", "your guess"]
    assert page.get_by_role("button", name="o1").inner_text().split("\n") == ["o1", "what happens"]
    assert page.get_by_text("They differ.").is_visible()  # the reason of the other wrong choice
    assert page.evaluate("document.activeElement.textContent").startswith("o2."), "the focus stays where it was"
    page.get_by_role("button", name="o1").press("Enter")  # a guess is made once
    assert "You guessed “o2”" in told(page)
    page.reload()
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    assert "You guessed “o2”" in told(page)
    page.get_by_role("button", name="Guess again").press("Enter")
    assert told(page) == ""
    assert page.evaluate("document.activeElement.textContent") == "o1"
    assert page.evaluate("localStorage.length") == 0
    page.keyboard.press("Enter")
    assert told(page) == "It is 0.1385. As you guessed."
    assert page.errors == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("60", "So it is. You guessed 60 %: close."),
        ("61,3 %", "So it is. You guessed 61.3 %: exactly right."),
        ("20", "So it is. You guessed 20 %: too low. Bolder!"),
        ("90.5", "So it is. You guessed 90.5 %: too high."),
        ("101", "Choose a number between 0 and 100 %."),
        ("many", "Choose a number between 0 and 100 %."),
        ("", "Choose a number between 0 and 100 %."),
    ],
)
def test_a_guess_on_a_range_is_told_how_near_it_is(typed, words, tab, tmp_path):
    page = asked(tab, tmp_path, a_range())
    page.get_by_role("textbox", name="your guess in %").fill(typed)
    page.keyboard.press("Enter")
    assert told(page).strip() == words
    assert page.locator(".nq-scale").is_visible() == words.startswith("So")


def test_a_guess_on_a_range_can_be_made_with_the_slider(tab, tmp_path):
    page = asked(tab, tmp_path, a_range())
    page.get_by_role("slider").press("Home")
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_role("button", name="This is my guess").press("Enter")
    assert "You guessed 1 %" in told(page)
    at = page.locator(".nq-scale").evaluate("e => [...e.children].map(c => c.style.left)")
    assert at == ["1%", "61.3%"]


def answer(page, text):
    page.get_by_role("textbox").fill(text)
    page.get_by_role("button", name="Check").press("Enter")
    return told(page)


RIGHT = "Right: 0.6. 3 of 5"


@pytest.mark.parametrize(
    ("typed", "words"),
    [(one, RIGHT) for one in ("0.6", ".6", "3/5", "60 %", "60%", "6e-1", "0,6", " +0.604 ", "p = 0.6", "6 * 10^-1")]
    + [(one, RIGHT) for one in ("0.6 rad", "6·10^(-1)", "6 × 10^−1 m/s", "≈ .6", "6E-1", "1.2 / 2", "0.6 m^2")]
    + [
        ("0.36", "You wrote 0.36. That is its square."),
        ("−0.6", "You wrote −0.6. The size is right, the sign is not."),
        ("60", "You wrote 60. The digits are right, the decimal point is not."),
        ("0.06", "You wrote 0.06. The digits are right, the decimal point is not."),
        ("0.5", "You wrote 0.5. Not yet."),
        ("0", "You wrote 0. Not yet."),
    ]
    + [
        (one, "That is no number the page can read: write 0.6, 3/5, 60 % or 6e-1.")
        for one in ("", "three fifths", "3/0", "1.2.3", "0.6 0.7", "3 x 4", "--1", "<b>", "Infinity", "1e999")
    ],
)
def test_a_typed_number_is_read_and_diagnosed(typed, words, tab, tmp_path):
    page = asked(tab, tmp_path, a_number())
    assert answer(page, typed) == words
    assert page.get_by_role("textbox").input_value() == typed
    assert page.errors == []


@pytest.mark.parametrize(
    ("value", "unit", "typed"),
    [(2410, "", "2,410"), (1234567.5, "", "1,234,567.5"), (12.5, "", "12,5"), (60, "%", "60"), (60, "%", "60 %")],
)
def test_numbers_as_people_write_them(value, unit, typed, tab, tmp_path):
    page = asked(tab, tmp_path, ask("How many?", value, tolerance=0, unit=unit))
    assert answer(page, typed).startswith("Right")


def test_a_fraction_where_percent_are_asked_for(tab, tmp_path):
    page = asked(tab, tmp_path, ask("How many?", 60, tolerance=0.5, unit="%"))
    assert answer(page, "0.6") == "You wrote 0.6. Right as a fraction: what is asked for is in percent."


def test_the_answer_is_offered_after_two_tries_and_remembered(tab, tmp_path):
    page = asked(tab, tmp_path, a_number())
    offer, text = page.get_by_role("button", name="Show the answer"), page.locator("body").inner_text
    assert "3 of 5" not in text()
    assert "0.6" not in text()
    for typed in ("0.5", "nothing", "0.5", "1/2"):  # the same number twice is one try, no number is none
        answer(page, typed)
        assert not offer.is_visible()
    answer(page, "0.4")
    offer.press("Enter")
    assert told(page) == "You wrote 0.4. Not yet. The answer: 0.6. 3 of 5"
    assert not offer.is_visible()
    assert page.evaluate("document.activeElement.tagName") == "INPUT", "the focus is not lost with the button"
    page.reload()
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    assert told(page) == "You wrote 0.4. Not yet. The answer: 0.6. 3 of 5"
    page.get_by_role("button", name="Start again").press("Enter")
    assert told(page) == ""
    assert page.get_by_role("textbox").input_value() == ""
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("document.activeElement.tagName") == "INPUT"


@pytest.mark.parametrize("made", [a_choice, a_range, a_number])
@pytest.mark.parametrize(
    "kept", ["null", "[]", "17", '{"guess": "x", "tries": 3}', '{"guess": 99999, "tries": [[]]}', "{"]
)
def test_what_another_page_left_in_the_memory_does_no_harm(made, kept, tab, tmp_path):
    question = made()
    page = asked(tab, tmp_path, question)
    page.evaluate("([k, v]) => localStorage.setItem(`nnlib ${location.pathname} ${k}`, v)", [question.key, kept])
    page.reload()
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    assert page.locator(".nn-question").is_visible()
    assert told(page) == ""
    assert page.errors == []


def test_two_questions_do_not_share_an_answer_and_a_browser_without_memory_serves(tab, tmp_path):
    page = tab()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked') } })")
    other = ask("Which other part?", 0.2, tolerance=0.01)
    page.goto(write_page(tmp_path / "two.html", a_number(), other))
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    first = page.get_by_role("group", name="Which part?")
    first.get_by_role("textbox").fill("0.6")
    page.keyboard.press("Enter")
    assert page.locator(".nq-said").all_inner_texts() == [RIGHT, ""]
    assert page.errors == []


# Quizzes and folded code

CHAPTERS = [path.relative_to(HTML).as_posix() for path in sorted(HTML.glob("chapters/[0-9]*.html"))]
every_chapter = pytest.mark.parametrize("name", CHAPTERS)


def words(text):
    return " ".join(text.split())


@every_chapter
def test_a_quiz_answers_by_keyboard_with_the_reason_of_the_option(name, root_url, visit):
    page = visit().open(page_url(root_url, name))
    items = page.locator(".quiz-item")
    assert items.count() >= 5
    for item in items.all():
        said, reasons = item.locator(".quiz-said"), item.locator(".quiz-reasons > li")
        assert said.get_attribute("role") == "status"
        assert said.text_content() == ""
        options = item.locator(".quiz-options button")
        marks = []
        for option, reason in zip(options.all(), reasons.all(), strict=True):
            option.press("Enter")
            assert words(said.text_content()) == words(reason.text_content())
            assert option.evaluate("e => e === document.activeElement")
            marks.append(option.locator(".quiz-mark").text_content())
            assert (marks[-1] == "right") == bool(re.match(r"[A-Z]\.? (is )?right\b", reason.text_content(), re.I))
        assert sorted(set(marks)) == ["no", "right"]
        assert marks.count("right") == 1
    assert page.locator(".quiz-said mjx-merror").count() == 0


@every_chapter
def test_a_quiz_is_plain_text_without_javascript(name, root_url, visit):
    made = visit(java_script_enabled=False)
    made.page.goto(page_url(root_url, name), wait_until="load")
    for item in made.page.locator(".quiz-item").all():
        assert item.locator("button").count() == 0
        assert item.locator(".quiz-options > li").first.inner_text().startswith("A. ")
        assert not item.locator(".quiz-reasons").is_visible()
        item.locator("summary").click()
        assert item.locator(".quiz-reasons > li").count() == item.locator(".quiz-options > li").count()
        assert all(reason.is_visible() for reason in item.locator(".quiz-reasons > li").all())


@every_chapter
@pytest.mark.parametrize("script", [True, False])
def test_on_paper_a_quiz_shows_its_reasons_and_no_buttons(name, script, site_url, visit, tmp_path):
    made = visit(java_script_enabled=script)
    made.page.goto(page_url(site_url, name), wait_until="load")
    made.page.emulate_media(media="print")
    if script:
        made.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for item in made.page.locator(".quiz-item").all():
        assert item.locator(".quiz-reasons > li").last.is_visible()
        for button in item.locator("button").all():
            assert button.evaluate("e => getComputedStyle(e).borderTopStyle") == "none"


@every_chapter
def test_folded_code_opens_by_keyboard_and_says_what_it_is(name, site_url, visit):
    page = visit().open(page_url(site_url, name))
    folded = page.locator("div.cell:not([class*=exercise]) > details.above-input")
    said = [words(one) for one in folded.locator("summary p.collapsed").all_text_contents()]
    assert said[0] == "Show the imports"
    assert {"Show the code of this figure", "Show what is asserted"} <= set(said)
    assert set(said) <= {
        f"Show {what}"
        for what in (
            "the imports",
            "the code of this figure",
            "the code of this question",
            "the code",
            "what is asserted",
        )
    }
    for box in folded.all():
        code = box.locator(".highlight").first
        assert not code.is_visible()
        box.locator("summary").press("Enter")
        assert code.is_visible()
        assert box.locator("summary p.expanded").is_visible()
    live = page.locator("div.cell:has(.nn-explore, .nn-question, .sw-still)")
    assert live.locator("> details.above-input").count() >= 3, "what only makes a figure or a question is folded"


# The runtime by itself, on pages of its own


def steps(step, kind):
    return Frame([Lines([0, step, 2 * step])], f"Step {step} of the {kind} kind.")


def write_page(path, *views):
    from ipywidgets.embed import embed_data

    data = embed_data(views=views, drop_defaults=False)
    place = '<script type="application/vnd.jupyter.widget-view+json">{}</script>'
    state = json.dumps(data["manager_state"]).replace("</", "<\\/")
    body = "".join(
        f'<p>{"Space. " * 3000}</p><figure id="fig-{number}">{place.format(json.dumps(view))}</figure>'
        for number, view in enumerate(data["view_specs"], 1)
    )
    runtime = (ROOT / "assets" / "web" / "static-widgets.js").read_text("utf8")
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{path.stem}</title></head><body>{body}'
        f'<script type="application/vnd.jupyter.widget-state+json">{state}</script>'
        f"<script>{runtime}</script></body></html>",
        "utf8",
    )
    return path.as_uri()


@pytest.fixture
def tab(browser):
    opened = []

    def make(**options):
        context = browser.new_context(offline=True, **options)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        opened.append(context)
        return page

    yield make
    for context in opened:
        context.close()


def frame_number(page):
    settled(page)
    return int(page.get_attribute(".nn-chart", "data-frame"))


def test_nothing_moves_until_play_is_pressed_and_pause_stops_it(tab, tmp_path):
    film = explore(steps, title="Film", step=play(*range(20), interval=100), kind=choice("first", "second"))
    page = tab(reduced_motion="no-preference")
    page.goto(write_page(tmp_path / "film.html", film))
    start(page)
    page.wait_for_timeout(400)
    assert frame_number(page) == 0
    button = page.get_by_role("button", name="Play: step")
    button.press("Enter")
    page.wait_for_function("() => Number(document.querySelector('.nn-chart').dataset.frame) >= 6")
    page.get_by_role("button", name="Pause: step").press("Enter")
    stopped = frame_number(page)
    page.wait_for_timeout(400)
    assert frame_number(page) == stopped
    assert page.errors == []


def test_where_less_motion_is_wanted_play_makes_one_step(tab, tmp_path):
    film = explore(steps, title="Film", step=play(*range(20), interval=100), kind=choice("first", "second"))
    page = tab(reduced_motion="reduce")
    page.goto(write_page(tmp_path / "film.html", film))
    start(page)
    button = page.get_by_role("button", name="Step: step")
    for expected in (2, 4):  # two kinds a step
        button.press("Enter")
        assert frame_number(page) == expected
    page.wait_for_timeout(400)
    assert frame_number(page) == 4


def film_of(tab, path, address=""):
    film = explore(
        steps,
        title="Film",
        tries=[
            Try("Go to the end.", {"step": 3}, lambda frame: "Step 3" in frame.text),
            Try("Begin with the second kind.", {"step": 0.5, "kind": "second & <last>"}, lambda f: "0.5" in f.text),
        ],
        python="here.steps",
        step=slider(0.5, 1.0, 3, value=1.0),
        kind=choice("first", "second & <last>", True),
    )
    page = tab()
    page.goto(write_page(path / "film.html", film) + address)
    start(page)
    return page


def test_a_try_is_a_button_that_sets_every_control(tab, tmp_path):
    page = film_of(tab, tmp_path)
    sentence = page.locator(".nn-sentence")
    page.get_by_role("slider", name="step").press("End")
    page.get_by_role("button", name="Begin with").click()
    settled(page)
    assert sentence.text_content() == "Step 0.5 of the second & <last> kind."
    page.get_by_role("button", name="Go to the end.").press("Space")
    settled(page)
    assert sentence.text_content() == "Step 3 of the first kind."  # what it does not name stands as at first
    pressed = page.locator(".nn-tries button").evaluate_all("es => es.map(e => e.getAttribute('aria-pressed'))")
    assert pressed == ["true", "false"]
    assert page.errors == []


def test_the_address_follows_the_controls_and_goes_nowhere(tab, tmp_path):
    page = film_of(tab, tmp_path)
    assert "#" not in page.url
    length = page.evaluate("history.length")
    page.get_by_role("slider", name="step").press("Home")
    page.wait_for_function("() => location.hash === '#fig-1?step=0.5&kind=first'")
    page.get_by_role("button", name="Begin with").click()
    page.wait_for_function("() => location.hash === '#fig-1?step=0.5&kind=second%20%26%20%3Clast%3E'")
    assert page.evaluate("history.length") == length
    assert page.errors == []


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("#fig-1?step=3&kind=second%20%26%20%3Clast%3E", "Step 3 of the second & <last> kind."),
        ("#fig-1?step=0.50&kind=true", "Step 0.5 of the True kind."),
        ("#fig-1?kind=third&step=&other=1", "Step 1.0 of the first kind."),
        ("#fig-2?step=3", "Step 1.0 of the first kind."),
        ("#fig-1", "Step 1.0 of the first kind."),
        ("#fig-1?%E0=3", "Step 1.0 of the first kind."),
    ],
)
def test_an_address_sets_the_controls_that_it_knows(address, sentence, tab, tmp_path):
    page = film_of(tab, tmp_path, address)
    assert page.locator(".nn-sentence").text_content() == sentence
    assert page.evaluate("scrollY > 100") == (address.startswith("#fig-1"))
    assert page.errors == []


def test_a_link_to_a_state_works_on_the_page_itself(tab, tmp_path):
    page = film_of(tab, tmp_path)
    page.evaluate("location.hash = '#fig-1?step=3&kind=first'")
    page.wait_for_function("() => document.querySelector('.nn-sentence').textContent === 'Step 3 of the first kind.'")
    assert page.evaluate("scrollY > 100")


def test_the_code_of_a_frame_can_be_copied(browser, tmp_path):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = film_of(context.new_page, tmp_path)
    page.errors = []
    box = page.locator(".nn-python")
    assert not box.get_by_role("button").is_visible()
    box.locator("summary").press("Enter")
    page.get_by_role("button", name="Begin with").click()
    settled(page)
    line = 'here.steps(step=0.5, kind="second & <last>")'
    assert box.locator("code").text_content() == line
    box.get_by_role("button", name="Copy").press("Enter")
    page.wait_for_function("() => document.querySelector('.nn-python [role=status]').textContent === 'Copied.'")
    assert page.evaluate("navigator.clipboard.readText()") == line
    context.close()


def test_the_standard_models_live_and_are_joined(tab, tmp_path):
    import ipywidgets as w

    number, real = (
        w.IntSlider(value=3, min=0, max=9, description="number"),
        w.FloatSlider(value=3, max=9, description="real"),
    )
    page_choice = w.Dropdown(options=["one", "two"], description="page")
    pages = w.Stack([w.HTML("<em>first</em>"), w.Label("second")], selected_index=0)
    both = w.jslink((page_choice, "index"), (pages, "selected_index"))
    one_way = w.jsdlink((number, "value"), (real, "value"))
    page = tab()
    page.goto(write_page(tmp_path / "models.html", w.VBox([w.HBox([number, real]), page_choice, pages]), both, one_way))
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    page.get_by_label("number").press("ArrowRight")
    assert page.get_by_label("real").input_value() == "4"
    page.get_by_label("real").press("ArrowRight")
    assert page.get_by_label("number").input_value() == "4"
    assert page.get_by_text("first").is_visible()
    page.get_by_label("page").press("ArrowDown")
    assert page.get_by_text("second").is_visible()
    assert not page.get_by_text("first").is_visible()
    assert page.errors == []


def test_an_unknown_model_fails_loudly_and_alone(tab, tmp_path):
    import ipywidgets as w

    page = tab()
    heard = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    slope = explore(steps, title="Fine", step=slider(1, 2), kind=choice("first", "second"))
    page.goto(write_page(tmp_path / "unknown.html", w.ColorPicker(description="tint"), slope))
    page.wait_for_selector("html[data-widgets=ready]", state="attached")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").text_content().endswith("no view for ColorPickerModel")
    assert any("ColorPickerModel" in text for text in heard)
    assert any("ColorPickerModel" in text for text in page.errors)
    assert page.query_selector(".nn-chart svg")
