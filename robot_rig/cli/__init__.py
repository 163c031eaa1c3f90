"""The `rig` command: wiring, words and progress bars. Only here may the library name drivers and simulator."""
