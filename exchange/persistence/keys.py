"""What we keep in Redis, for whoever wants to read along. All of it can be lost at any moment.

| key | what |
|---|---|
| `exchange:book:BTC_USDT` | JSON: the newest snapshot of the book, as `GET .../book` answers it |
| `exchange:trades:BTC_USDT` | JSON: the last trades, newest first, as `GET .../trades` lists them |
| `exchange:updates:BTC_USDT` | channel: every snapshot of the book that is written is sent there |
| `exchange:mark` | which server wrote last, and how often: by it a Redis that was emptied shows |
"""

MARK = "exchange:mark"


def book(market: str) -> str:
    """Return the key of a market's newest snapshot."""
    return f"exchange:book:{market}"


def trades(market: str) -> str:
    """Return the key of a market's last trades."""
    return f"exchange:trades:{market}"


def updates(market: str) -> str:
    """Return the channel of a market's snapshots."""
    return f"exchange:updates:{market}"
