"""What may be sent to the switch, and how it looks on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_bridge.protocol import UnsafeCommand, encode_command


def test_a_command_is_a_line_and_an_empty_line():
    assert encode_command("api callcenter_config agent list") == b"api callcenter_config agent list\n\n"


def test_headers_stand_between_the_command_and_the_empty_line():
    sent = encode_command("bgapi status", {"Job-UUID": "1b1e", "Note": "坐席"})
    assert sent == "bgapi status\nJob-UUID: 1b1e\nNote: 坐席\n\n".encode()


@pytest.mark.parametrize("bad", ["\n", "\r", "\0", "\r\n", "\n\napi shutdown"])
def test_a_line_break_or_nul_is_refused_without_quoting_the_command(bad):
    for line, headers in [
        (f"auth secret{bad}", None),
        ("sendevent X", {"Name": f"secret{bad}"}),
        ("sendevent X", {f"secret{bad}": "value"}),
    ]:
        with pytest.raises(UnsafeCommand) as refusal:
            encode_command(line, headers)
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "a:b", ":"])
def test_a_header_name_that_would_be_read_otherwise_is_refused(name):
    with pytest.raises(UnsafeCommand, match="name of a command's header"):
        encode_command("sendevent X", {name: "value"})


@pytest.mark.parametrize("line", ["", " ", "\t"])
def test_an_empty_command_would_get_no_reply_and_is_refused(line):
    with pytest.raises(UnsafeCommand, match="empty"):
        encode_command(line)


def test_text_without_a_utf8_form_is_refused():
    with pytest.raises(UnsafeCommand, match="UTF-8"):
        encode_command("api echo \ud800")


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_is_accepted_is_exactly_one_command(line, headers):
    try:
        sent = encode_command(line, headers)
    except UnsafeCommand:
        return
    assert sent.endswith(b"\n\n")
    assert sent[:-2].split(b"\n") == [
        line.encode(),
        *(f"{name}: {value}".encode() for name, value in headers.items()),
    ]
    assert b"\r" not in sent and b"\0" not in sent
