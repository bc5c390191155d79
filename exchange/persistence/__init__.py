"""Storage: schema, connections, the batch writer, recovery, queries and the embedded servers."""
