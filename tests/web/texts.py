"""Pages as they are read."""

import html
import re


def text_of(page: str) -> str:
    """What is read, spaces made one."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).strip()
