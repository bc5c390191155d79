"""Plays recorded order flow through the public API of a running exchange.

`lobster` reads the files, `plan` turns messages into operations, `wire` is one account's
connection, `player` sends and compares, `command` makes market and accounts ready and reports.
"""
