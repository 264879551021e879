"""The switch's time and ours."""

from datetime import UTC, datetime


def from_us(at: int) -> datetime:
    """A switch's microseconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(at / 1_000_000, tz=UTC)


def to_us(at: datetime) -> int:
    """A time as microseconds since the epoch."""
    return round(at.timestamp() * 1_000_000)
