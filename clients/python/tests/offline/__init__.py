"""Tests without any server of Vega."""
