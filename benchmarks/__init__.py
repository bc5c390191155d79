"""What the exchange does in a second, measured beside something known in the same run."""
