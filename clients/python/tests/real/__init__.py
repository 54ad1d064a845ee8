"""Tests against a real vega-server, the simulated Upstox and a real browser."""
