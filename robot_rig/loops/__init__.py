"""The loops: time and records in, records out. No I/O, no sleep, no threads; nodes and rigs call `tick`."""
