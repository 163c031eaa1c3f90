"""`rig demo-live`: the whole graph at wall clock, the demo's policy on it, and a judge with a ruler."""
