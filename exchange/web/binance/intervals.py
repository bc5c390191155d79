"""The sixteen widths of candles that the dialect knows, and when each candle begins.

A candle has a number, which grows by one from candle to candle: months are as regular as minutes.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from exchange.candles import DAY, INTERVALS, MINUTE, MONDAY, SECOND

HOUR = 60 * MINUTE
MONTHS = 12


class Width(NamedTuple):
    """One width of candles."""

    name: str
    length: int
    """In microseconds; 0 for a month."""
    stored: int | None
    """The length of the stored candles that it is made of; `None`: of trades."""
    offset: int = 0

    def number(self, time: int, zone: int = 0) -> int:
        """Return the number of the candle that holds a time; `zone`: how far ahead of UTC."""
        if self.length:
            return (time + zone - self.offset) // self.length
        date = datetime.fromtimestamp((time + zone) // SECOND, UTC)
        return date.year * MONTHS + date.month - 1

    def begin(self, number: int, zone: int = 0) -> int:
        """Return when a candle begins."""
        if self.length:
            return number * self.length + self.offset - zone
        year, month = divmod(number, MONTHS)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * SECOND - zone

    def next_number(self, time: int, zone: int = 0) -> int:
        """Return the number of the first candle that begins at a time or after it."""
        number = self.number(time, zone)
        return number if self.begin(number, zone) >= time else number + 1

    def source(self, zone: int) -> int | None:
        """Return the length of the stored candles that it is made of in a time zone."""
        if self.stored is None or not zone % self.stored:
            return self.stored
        lengths = [interval.length for interval in INTERVALS.values() if interval.length < DAY]
        return max(length for length in lengths if length <= self.stored and not zone % length)


WIDTHS = {
    width.name: width
    for width in (
        Width("1s", SECOND, None),
        Width("1m", MINUTE, MINUTE),
        Width("3m", 3 * MINUTE, MINUTE),
        Width("5m", 5 * MINUTE, 5 * MINUTE),
        Width("15m", 15 * MINUTE, 15 * MINUTE),
        Width("30m", 30 * MINUTE, 30 * MINUTE),
        Width("1h", HOUR, HOUR),
        Width("2h", 2 * HOUR, HOUR),
        Width("4h", 4 * HOUR, 4 * HOUR),
        Width("6h", 6 * HOUR, HOUR),
        Width("8h", 8 * HOUR, HOUR),
        Width("12h", 12 * HOUR, HOUR),
        Width("1d", DAY, DAY),
        Width("3d", 3 * DAY, DAY),
        Width("1w", 7 * DAY, DAY, MONDAY),
        Width("1M", 0, DAY),
    )
}
