"""A dialect that is compatible with Binance Spot: names, numbers and errors of our own core."""
