"""`rig faults`: every row of the table of faults on a live graph, judged from the witness's log."""
