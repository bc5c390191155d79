"""The world of `exchange demo`: currencies, markets, accounts, and the bots that trade there.

Everything here goes through the public API, as any client would.
"""
