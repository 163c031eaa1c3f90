"""The simulated Sawyer as the network sees it: the vendor's Intera interface over `sim.world`, at wall clock."""
