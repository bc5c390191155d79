"""The front door: HTTP, WebSocket and pages around the core."""
