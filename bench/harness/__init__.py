"""What the cases of the latency harness share: programs in C, floors, results, and what is made of them."""
