"""Quiz: how a chapter writes one, as plain text that can be read anywhere.

    **1.** What happens to the loss?

    - A. It falls.
    - B. It rises.

    :::{dropdown} Answers and reasons
    - **A** is right: δ is negative.
    - **B** is wrong: the sign of δ says the opposite.
    :::

A reason begins with its letter; the one of the right answer goes on with "is right" or "Right".
"""

import re

OPTION = re.compile(r"([A-Z])\. +\S")
REASON = re.compile(r"([A-Z])\.? +((?:is )?right\b)?", re.IGNORECASE)


def letter_of_option(text):
    """ "A" of "A. It falls.", None of other text."""
    found = OPTION.match(text)
    return found and found[1]


def letter_of_reason(text):
    """("A", whether it is the right answer) of "A is right: ..." without its markup, (None, False) of other text."""
    found = REASON.match(text)
    return (found[1], bool(found[2])) if found else (None, False)


def flaws(number, options, reasons):
    """What keeps one item from being a question: options are letters, reasons are (letter, right)."""
    if len(options) < 2 or options != [chr(ord("A") + k) for k in range(len(options))]:
        yield f"quiz {number}: the options are A, B, C ..., got {options}"
    if [letter for letter, _ in reasons] != options:
        yield f"quiz {number}: a reason for each of {options}, got {[letter for letter, _ in reasons]}"
    if sum(right for _, right in reasons) != 1:
        yield f"quiz {number}: one answer is right, got {[letter for letter, right in reasons if right]}"


def items(markdown):
    """(number, letters of the options, (letter, right) of the reasons) of each item below the heading "Quiz"."""
    section = re.search(r"^## Quiz$(.*?)(?=^## |\Z)", markdown, re.MULTILINE | re.DOTALL)
    for item in re.split(r"^(?=\*\*\d+\.\*\*)", section[1] if section else "", flags=re.MULTILINE)[1:]:
        asked, _, answered = item.partition("Answers and reasons")
        bullets = [re.findall(r"^- (.*)$", part.replace("**", ""), re.MULTILINE) for part in (asked, answered)]
        options = [letter for letter in map(letter_of_option, bullets[0]) if letter]
        yield int(re.match(r"\*\*(\d+)", item)[1]), options, [letter_of_reason(text) for text in bullets[1]]
