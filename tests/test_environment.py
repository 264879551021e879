"""Every setting that is read from the environment is explained to the operator, and the other way round."""

import re

from tests.product import PROJECT, SETTING_NAMES


def test_the_example_lists_exactly_the_variables_that_the_settings_read() -> None:
    source = (PROJECT / "callcenter" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', source))

    assert read == set(SETTING_NAMES)
