"""The queue engines of FreeSWITCH, one module each. Pure: no Django, no clock, no I/O."""
