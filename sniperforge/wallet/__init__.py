"""The wallet: key files and what the chain says the key's account holds."""
