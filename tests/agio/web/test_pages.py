import hashlib
import re

from agio.web.pages import STATIC
from tests.agio.web.conftest import MakePerson


def test_the_page_names_files_that_are_there_and_may_be_kept(person: MakePerson) -> None:
    ada = person()
    page = ada.get("/")
    assert page.headers["content-type"].startswith("text/html")
    addresses = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        assert "immutable" in ada.get(address).headers["cache-control"]


def test_scripts_come_as_scripts(person: MakePerson) -> None:
    ada = person()
    folder = re.search(r'src="([^"]+)/app.js"', ada.get("/").text)
    assert folder is not None
    for script in STATIC.glob("*.js"):
        assert "javascript" in ada.get(f"{folder[1]}/{script.name}").headers["content-type"]


def test_nothing_outside_the_folder_is_served(person: MakePerson) -> None:
    ada = person()
    folder = re.search(r'src="([^"]+)/app.js"', ada.get("/").text)
    assert folder is not None
    for path in ("/../service.py", "/%2e%2e/service.py", "/..%2f..%2fservice.py", "/vendor"):
        assert ada.get(folder[1] + path).status_code == 404


def test_the_page_knows_whether_there_is_a_session(person: MakePerson) -> None:
    ada = person()
    assert 'data-session="no"' in ada.get("/").text
    ada.sign_up()
    assert 'data-session="yes"' in ada.get("/").text


def test_what_others_wrote_is_unchanged() -> None:
    digest, name = (STATIC / "vendor" / "CHECKSUMS.txt").read_text().split()
    assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_our_scripts_know_no_floating_point_numbers() -> None:
    for script in STATIC.glob("*.js"):
        found = re.search(r"parseFloat|Number\(|toFixed|Math\.round", script.read_text())
        assert found is None, f"{script.name}: {found}"
