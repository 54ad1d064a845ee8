"""Connects a `TokenSource` to `upstox_client`, Upstox's own SDK (`pip install vega-client[upstox]`).

    import upstox_client
    from vega_client import Server
    from vega_client.upstox import Configuration

    tokens = Server().tokens("PRIMARY")
    api_client = upstox_client.ApiClient(Configuration(tokens))

The SDK is neither changed nor patched. Only this package imports it.
"""

from vega_client.upstox.configuration import Configuration
from vega_client.upstox.streamers import MarketDataStreamerV3, PortfolioDataStreamer

__all__ = ["Configuration", "MarketDataStreamerV3", "PortfolioDataStreamer"]
