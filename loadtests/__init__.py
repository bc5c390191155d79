"""Load tests with Locust: see README.md beside this file."""
