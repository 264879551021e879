"""The page's scripts without a page: their own tests, and where their parts come from."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from tests.product import PROJECT

ASSETS = PROJECT / "callcenter" / "assets"
VENDOR = ASSETS / "vendor"
TESTS = sorted((Path(__file__).parent / "scripts").glob("*.test.mjs"))
TEMPLATES = sorted((PROJECT / "templates").rglob("*.html"))


@pytest.mark.parametrize("script", TESTS, ids=lambda path: path.name)
def test_the_scripts_pass_their_own_tests(script: Path) -> None:
    # Playwright brings a Node of its own, so the machine need not have one.
    node = compute_driver_executable()[0]
    run = subprocess.run(
        [node, "--test", "--test-reporter=spec", script], capture_output=True, text=True, timeout=50
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"pass [1-9]", run.stdout)


def test_vendored_modules_are_the_published_ones() -> None:
    listed = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert found == listed
    assert {Path(name).parent for name in found if name.endswith(".mjs")} == {
        Path(name).parent for name in found if name.endswith("LICENSE")
    }


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_script_or_style_of_their_own(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)


def test_scripts_import_only_what_is_there() -> None:
    scripts = sorted((ASSETS / "live").glob("*.js"))
    for script in scripts:
        for imported in re.findall(r'from "([^"]+)"', script.read_text()):
            assert (script.parent / imported).is_file(), f"{script.name} imports {imported}"
