"""`callcenter.conf` as the switch reads it over HTTP (mod_xml_curl).

Agents and tiers are not in it: the bridge sets them one by one, and a queue that is reloaded would
otherwise take the file's word over what was set since (reference, 1.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

CONFIGURATION = "callcenter.conf"
PARAMETERS = (
    "strategy",
    "moh_sound",
    "announce_sound",
    "announce_frequency",
    "record_template",
    "time_base_score",
    "tier_rules_apply",
    "tier_rule_wait_second",
    "tier_rule_wait_multiply_level",
    "tier_rule_no_agent_no_wait",
    "discard_abandoned_after",
    "abandoned_resume_allowed",
    "max_wait_time",
    "max_wait_time_with_no_agent",
    "max_wait_time_with_no_agent_time_reached",
    "ring_progressively_delay",
)


def configuration(queues: Iterable[Mapping[str, object]]) -> str:
    """The document for these queues, each a mapping of our field names."""
    document = Element("document", type="freeswitch/xml")
    section = SubElement(document, "section", name="configuration")
    conf = SubElement(section, "configuration", name=CONFIGURATION)
    SubElement(conf, "settings")
    listed = SubElement(conf, "queues")
    for queue in queues:
        entry = SubElement(listed, "queue", name=str(queue["name"]))
        for field in PARAMETERS:
            value = _text(queue[field])
            if value:
                SubElement(entry, "param", name=field.replace("_", "-"), value=value)
    # An empty list of tiers spares the module a second request when it loads.
    SubElement(conf, "agents")
    SubElement(conf, "tiers")
    return tostring(document, encoding="unicode")


def not_found() -> str:
    """The answer that sends the switch to its next source, in the end its own files."""
    document = Element("document", type="freeswitch/xml")
    section = SubElement(document, "section", name="result")
    SubElement(section, "result", status="not found")
    return tostring(document, encoding="unicode")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if text.isprintable() else ""
