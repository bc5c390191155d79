"""Threads: Pykka shells around the core. They take a message, call the core, pass on its answer."""
