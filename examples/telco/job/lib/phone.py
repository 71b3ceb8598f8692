"""Phone numbers as clerks typed them, in one form."""

import re


def normalise(raw):
    """The number as +49..., from '+49171...', '0171/...', '0049 171 ...'; None for a blank.

    Raises ValueError for a text that is no number.
    """
    text = re.sub(r"[\s/()-]", "", raw or "")
    if not text:
        return None
    if text.startswith("00"):
        text = "+" + text[2:]
    elif text.startswith("0"):
        text = "+49" + text[1:]
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", text):
        raise ValueError("this is no phone number")
    return text
