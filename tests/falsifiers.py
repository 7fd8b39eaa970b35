"""Falsifiers: after a notebook's cell with claims has passed, what must make its claims fail is run in the same kernel.

A plugin of pytest beside nbval: the notebooks are executed once for their outputs and for this.
"""

import queue
import time

import pytest

from nnlib.course.claims import claimed

SECONDS = 60  # for one falsifier
CALL = "__import__('nnlib.course.claims', fromlist=['falsify']).falsify({cell!r}, {statement!r}, globals())"


def missing(cell, statements, failed):
    """What is wrong with the falsifiers of a cell, as sentences; ``failed`` are the ids of the claims that failed."""
    if not statements:
        yield "it names no falsifier: add metadata.falsifiers, a list of statements"
    for id in claimed(cell):
        if id not in failed:
            yield f"no falsifier makes claim {id} fail"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    outcome = yield
    cell = getattr(item, "cell", None)
    if outcome.excinfo or cell is None or not claimed_or_nothing(cell.source):
        return
    statements = cell.metadata.get("falsifiers", [])
    failed = [ask(item.parent.kernel.kc, CALL.format(cell=cell.source, statement=s)) for s in statements]
    found = list(missing(cell.source, statements, failed))
    if found:
        pytest.fail("the claims of this cell: " + "; ".join(found), pytrace=False)


def claimed_or_nothing(source):
    try:
        return claimed(source)
    except SyntaxError:  # a line that only IPython knows
        return []


def ask(client, expression):
    """The value of an expression in a kernel, or a failure with its error."""
    request = client.execute("", silent=True, user_expressions={"answer": expression})
    end = time.monotonic() + SECONDS
    while True:
        try:
            reply = client.get_shell_msg(timeout=max(end - time.monotonic(), 0.01))
        except queue.Empty:
            pytest.fail(f"a falsifier ran longer than {SECONDS} s: {expression[-300:]}", pytrace=False)
        if reply["parent_header"].get("msg_id") == request:
            answer = reply["content"]["user_expressions"]["answer"]
            if answer["status"] == "ok":
                return answer["data"]["text/plain"].strip("'\"")
            pytest.fail(f"{answer['ename']}: {answer['evalue']}", pytrace=False)
