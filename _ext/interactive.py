"""Widgets on a page: a still or a text beside each live one, and a state without what the page does not need."""

import json

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from nnlib.widgets.questions import as_text

LOG = logging.getLogger(__name__)
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "ipywidgets_state"
UNSEEN = ("LayoutModel", "StyleModel")  # ends of the model names that only JupyterLab draws from
SHARED = ("_esm", "_css")  # the same text in every chart and in every question


def page_state(env, docname):
    """The widget state that MyST-NB saved for a page: {model id: model}."""
    _, attributes = NbMetadataCollector.get_js_files(env, docname).get(STATE, (None, {}))
    return json.loads(attributes["body"])["state"] if attributes else {}


def slim(app, doctree):
    """Keep what draws: no layouts, no styles, no empty traits, and one copy of the chart's code per page."""
    env = app.env
    files = NbMetadataCollector.get_js_files(env, env.docname)
    if STATE not in files:
        return
    uri, attributes = files[STATE]
    document, first = json.loads(attributes["body"]), {}
    document["state"] = {k: m for k, m in document["state"].items() if not m["model_name"].endswith(UNSEEN)}
    for key, model in document["state"].items():
        traits = {
            name: value
            for name, value in model["state"].items()
            if value is not None and not name.startswith(("_model", "_view")) and name not in ("layout", "style")
        }
        for name in SHARED:
            if traits.get(name):
                owner = first.setdefault((name, traits[name]), key)
                if owner != key:
                    traits[name] = {"same_as": owner}
        model["state"] = traits
    # A script element ends at "</script": keep every "</" out of it.
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    files[STATE] = (uri, {**attributes, "body": body})


def _shown(state, model_id):
    """Title, sentence and tries of the figure with this id as it is saved, or None where it is no figure of ours."""
    for child in state.get(model_id, {}).get("state", {}).get("children", ()):
        traits = state.get(child.removeprefix("IPY_MODEL_"), {}).get("state", {})
        if "texts" in traits:
            index = 0
            for k, control in enumerate(traits["controls"]):
                index = index * len(control["values"]) + traits[f"setting_{k}"]
            return traits["title"], traits["texts"][index], [one["text"] for one in traits["tries"]]
    return None


class PlaceStills(SphinxPostTransform):
    """Put a figure's picture and sentence, or a question's text, before its live view, until that one stands."""

    default_priority = 3  # before MyST-NB chooses one of the bundle
    formats = ("html",)

    def run(self, **kwargs):
        bundles = [n for n in self.document.findall(nodes.container) if n.get("nb_element") == "mime_bundle"]
        state = None
        for bundle in bundles:
            kinds = {child["mime_type"]: child for child in bundle.children}
            if VIEW not in kinds:
                continue
            if state is None:  # one page of its own, or all of them in one
                own = page_state(self.env, self.env.docname)
                state = own or {k: m for name in self.env.found_docs for k, m in page_state(self.env, name).items()}
            view = kinds[VIEW]
            script = view.astext()
            model_id = json.loads(script[script.index(">") + 1 : script.rindex("<")])["model_id"]
            still = self.figure(bundle, kinds, state, model_id) or self.question(state, model_id)
            if still is None:
                continue
            if self.app.builder.name in ("html", "dirhtml"):
                view.insert(0, still)
            else:  # a single page, for paper: nothing on it is alive
                view.children = []
                view += still

    def figure(self, bundle, kinds, state, model_id):
        """The picture of an interactive figure, its sentence and its tries."""
        shown = _shown(state, model_id)
        if shown is None:
            return None
        title, sentence, tries = shown
        images = list(kinds["image/png"].findall(nodes.image)) if "image/png" in kinds else []
        if not images:
            LOG.warning("interactive figure %r has no still picture", title, location=bundle)
        still = nodes.container(classes=["sw-still"])
        for image in images:
            image["alt"] = f"{title}. {sentence}"
            image["loading"] = "lazy"
            still += image.deepcopy()
        still += nodes.paragraph(text=sentence)
        if tries:
            still += nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph(text=one)) for one in tries))
        return still

    def question(self, state, model_id):
        """The text of a guess or an ask, which paper shows in its place, too."""
        if "question" not in state.get(model_id, {}).get("state", {}):
            return None
        text = nodes.raw(
            "", as_text(*(state[model_id]["state"][name] for name in ("kind", "question", "content"))), format="html"
        )
        return nodes.container("", text, classes=["sw-still", "sw-question"])


def setup(app):
    app.connect("doctree-read", slim)
    app.add_post_transform(PlaceStills)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
