"""`rig soak`: practice without a person for hours, faults meanwhile, and what grew, was missed, lost and recovered."""
