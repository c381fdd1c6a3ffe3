"""Looks at predictions: the demo, replayed bags, the pictures and films made of them."""
