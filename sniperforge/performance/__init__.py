"""`sniperforge performance-stats`: where a live instance spends its time and memory, and what would make it faster."""
