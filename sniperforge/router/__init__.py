"""Best execution of one trade: which pools, over how many routes, at what cost and with which slippage."""
