"""Episodes on disk and in memory: the MCAP log, the folder that couples robot and trainer, and the replay (R9, R16)."""
