"""The dashboard's files are served to anybody, and no others."""

from __future__ import annotations

import pytest


@pytest.fixture
def web(people, tmp_path):
    folder = people.app.state.web = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>ludb</title>")
    (folder / "assets" / "app-1a2b.js").write_text("let a")
    (tmp_path / "secret.txt").write_text("secret")
    found = people.client()
    found.app_web = folder
    return found


def test_every_page_of_it_is_the_one_page(web):
    for path in ("/", "/runs/telco-1", "/units/telco/4711", "/units/telco/a.b%2Fc.d", "/units/telco/4711.js"):
        answer = web.get(path)
        assert (answer.status_code, answer.text, answer.headers["cache-control"]) == (
            200,
            "<title>ludb</title>",
            "no-cache",
        )
    asset = web.get("/assets/app-1a2b.js")
    assert (asset.text, "immutable" in asset.headers["cache-control"]) == ("let a", True)
    assert "frame-ancestors 'none'" in asset.headers["content-security-policy"]


def test_no_file_beside_it_is_served_and_the_api_keeps_its_404(web):
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/none.js",
        "/favicon.ico",
        "/api/v1/nonesuch",
        "/api/v2",
    ):
        answer = web.get(path)
        assert (answer.status_code, "secret" in answer.text) == (404, False), path


def test_without_a_build_one_line_says_so(people, tmp_path):
    people.app.state.web = tmp_path / "none"
    answer = people.client().get("/")
    assert (answer.status_code, answer.text.count("\n"), "not built" in answer.text) == (200, 1, True)


def test_a_file_is_sent_packed_once_and_not_again_to_who_has_it(web):
    """Without it every page is three times as long on the line, and read from the disk for each reader."""
    file = web.app_web / "assets" / "app-1a2b.js"
    file.write_text("let a = 1;\n" * 1000)
    packed = web.get("/assets/app-1a2b.js")
    plain = web.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", plain.text)
    assert int(packed.headers["content-length"]) < len(plain.content) / 10
    assert ("content-encoding" in plain.headers, plain.headers["vary"]) == (False, "Accept-Encoding")
    again = web.get("/assets/app-1a2b.js", headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", packed.headers["etag"])
    assert packed.headers["etag"] != plain.headers["etag"]


def test_a_page_that_was_built_anew_is_served_at_once(web):
    old = web.get("/")
    (web.app_web / "index.html").write_text("<title>ludb, built anew</title>")
    new = web.get("/", headers={"If-None-Match": old.headers["etag"]})
    assert (new.status_code, new.text) == (200, "<title>ludb, built anew</title>")
