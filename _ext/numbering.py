"""Figures, tables and equations of a chapter carry the chapter's number: Fig. 6.1 is the first of chapter 6.

The number is that of the file, chapters/06_backpropagation, so that it stays when chapters before it are written.
"""

import re

CHAPTER = re.compile(r"chapters/0*(\d+)_")


def renumbered(fignumbers):
    """{document: {kind: {id: (n,)}}} with (chapter, 1), (chapter, 2) ... in each chapter, in the order of before."""
    result = {}
    for document, kinds in fignumbers.items():
        match = CHAPTER.match(document)
        if match:
            chapter = int(match[1])
            kinds = {
                kind: {id_: (chapter, k) for k, id_ in enumerate(sorted(ids, key=ids.get), 1)}
                for kind, ids in kinds.items()
            }
        result[document] = kinds
    return result


def number(app, env):
    before = env.toc_fignumbers
    env.toc_fignumbers = renumbered(before)
    return [document for document in before if CHAPTER.match(document)]


def setup(app):
    app.connect("env-get-updated", number, priority=900)  # after Sphinx has counted through the whole book
    return {"parallel_read_safe": True}
