"""The rates service: quotes of a provider, published to `exchange-rates`.

`ecb` replays reference rates that the package carries; `coinbase` and `kraken` are live. Each is a source: an
asynchronous iterator of quotes that never ends by itself.
"""
