"""For planners: many futures from one instant, scored, and a search for the best drag."""
