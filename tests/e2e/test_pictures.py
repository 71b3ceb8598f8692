"""That no page is forgotten: each address of the dashboard is looked at, and kept as a picture."""

from __future__ import annotations

import re

from .conftest import ROOT
from .looks import ADMIN, EDITOR, OPERATOR

PAGES = ROOT / "web" / "src" / "app" / "pages.tsx"


def test_every_page_is_looked_at():
    seen = [re.sub(r"\?.*", "", path) for path in (*OPERATOR, *ADMIN, *EDITOR)]
    places = re.findall(r'path: "([^"]+)"', PAGES.read_text(encoding="utf-8"))
    assert len(places) > 10
    assert [
        place for place in places if not any(re.fullmatch(re.sub(r":\w+", "[^/]+", place), path) for path in seen)
    ] == []
