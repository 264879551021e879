"""The decode benchmark compares, or says that it cannot."""

import sys

from bench import esl_decode


def test_without_python_esl_the_benchmark_fails_and_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ESL", None)
    assert esl_decode.main(["--rounds", "1"]) == 2
    assert "uv sync --extra esl" in capsys.readouterr().err
