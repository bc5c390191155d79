"""A complete spot exchange: order entry, matching, ledger, market data and administration."""

__version__ = "0.1.0"
