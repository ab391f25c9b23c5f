"""The one-page answer over finished runs: one row a method, what it costs, and sentences that the tests behind them bear out."""
