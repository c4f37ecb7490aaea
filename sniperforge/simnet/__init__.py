"""The embedded local Solana: real SVM execution behind the real JSON-RPC and WebSocket interfaces."""
