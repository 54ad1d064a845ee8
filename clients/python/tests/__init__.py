"""Tests of vega_client: `offline` needs nothing but Python, `real` runs a vega-server and the simulated Upstox."""
