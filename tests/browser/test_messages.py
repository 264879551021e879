"""Every text of the interface is there in Chinese, and the compiled texts are the written ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import PROJECT

MESSAGES = Path("callcenter") / "locale" / "zh_Hans" / "LC_MESSAGES"
DOMAINS = ("django", "djangojs")
SOURCES = ("callcenter", "agents", "queues", "esl_bridge", "templates")
PLACEHOLDERS = re.compile(r"%\(\w+\)s|%s|</?\w+>")

Texts = dict[tuple[str, str], list[str]]


def gettext(*command: str | Path) -> str:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=50).stdout


def texts_of(po: str) -> Texts:
    """Context and text, each with its translations; the header is left out."""
    found: Texts = {}
    for entry in po.split("\n\n"):
        parts: dict[str, str] = {}
        keyword = ""
        for line in entry.splitlines():
            if match := re.match(r"(msg\w+(?:\[\d\])?) ", line):
                keyword = match[1]
            if text := re.search(r'"(.*)"$', line):
                parts[keyword] = parts.get(keyword, "") + text[1]
        if parts.get("msgid"):
            translations = [text for name, text in parts.items() if name.startswith("msgstr")]
            found[parts.get("msgctxt", ""), parts["msgid"]] = translations
    return found


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose texts have just been collected anew."""
    copy = tmp_path_factory.mktemp("messages")
    shutil.copy(PROJECT / "manage.py", copy)
    for name in SOURCES:
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "DATABASE_URL": "sqlite://:memory:", "ENV_FILE": os.devnull}
    env["DJANGO_SETTINGS_MODULE"] = "callcenter.settings"
    for domain in DOMAINS:
        command = [sys.executable, "manage.py", "makemessages", "--locale", "zh_Hans", "--domain", domain]
        command += ["--no-obsolete", "--no-wrap", "--ignore", "vendor/*"]
        subprocess.run(command, cwd=copy, env=env, check=True, timeout=55, capture_output=True)
    return copy / MESSAGES


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_text_is_missing_from_the_translation_or_left_over(domain: str, collected: Path) -> None:
    used = texts_of(gettext("msgcat", "--no-wrap", collected / f"{domain}.po"))
    translated = texts_of(gettext("msgcat", "--no-wrap", PROJECT / MESSAGES / f"{domain}.po"))
    assert used.keys() == translated.keys()
    assert len(used) > 50


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_text_is_translated(domain: str) -> None:
    po = PROJECT / MESSAGES / f"{domain}.po"
    assert texts_of(gettext("msgattrib", "--untranslated", "--no-obsolete", po)) == {}
    assert texts_of(gettext("msgattrib", "--only-fuzzy", "--no-obsolete", po)) == {}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_translation_keeps_placeholders_and_markup(domain: str) -> None:
    po = PROJECT / MESSAGES / f"{domain}.po"
    gettext("msgfmt", "--check-format", "--check-domain", "-o", os.devnull, po)
    for (_, text), translations in texts_of(gettext("msgcat", "--no-wrap", po)).items():
        for translation in translations:
            assert sorted(PLACEHOLDERS.findall(translation)) == sorted(PLACEHOLDERS.findall(text)), text


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_compiled_texts_are_the_written_ones(domain: str, tmp_path: Path) -> None:
    po, mo = PROJECT / MESSAGES / f"{domain}.po", tmp_path / "fresh.mo"
    gettext("msgfmt", "-o", mo, po)
    assert gettext("msgunfmt", PROJECT / MESSAGES / f"{domain}.mo") == gettext("msgunfmt", mo), (
        "run make messages"
    )
